// SPDX-License-Identifier: Apache-2.0

// Package certlook reads the certificates of a host, and what its servers present. It
// changes nothing, and what it answers has no private key in it.
package certlook
