// SPDX-License-Identifier: Apache-2.0

// Package certcheck reads from the API, and from what its servers present, when the
// certificates of a cluster end.
//
//	Survey  reads all that can be seen without touching a host
//
// What cannot be read costs its own row, and is said; it never costs the others.
package certcheck
