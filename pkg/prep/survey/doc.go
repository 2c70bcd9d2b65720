// SPDX-License-Identifier: Apache-2.0

// Package survey reads a host into prep.Facts. It changes nothing, asks no network,
// and reads every file with a bound. All of it is for Linux.
package survey
