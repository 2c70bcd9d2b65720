// SPDX-License-Identifier: Apache-2.0

// Package hostfacts reads what a cluster knows about the host of one of its nodes: its
// networks, its addresses, its runtime's socket. On the host that makes the difference
// between "looks like Kubernetes'" and "is Kubernetes'", so nothing counts that a
// kubelet alone has claimed.
package hostfacts
