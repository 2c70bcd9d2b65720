// SPDX-License-Identifier: Apache-2.0

// Package release says what a Helm release is and shall be, and what is wanted of
// Helm (Store), without knowing Helm: the installation of a network is decided and
// tested against this alone.
package release
