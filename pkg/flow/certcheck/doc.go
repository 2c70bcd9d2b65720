// SPDX-License-Identifier: Apache-2.0

// Package certcheck reads from the API, from what its servers present and from hosts when
// the certificates of a cluster end.
//
//	Survey  reads all that can be seen without touching a host
//	Choose  picks the hosts that are asked
//	Deep    asks them, each through a pod that is gone afterwards
//
// What cannot be read costs its own row, and is said; it never costs the others.
package certcheck
