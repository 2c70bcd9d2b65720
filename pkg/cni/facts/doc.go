// SPDX-License-Identifier: Apache-2.0

// Package facts reads what a cluster says of its network into one typed snapshot:
// nodes, ranges of addresses, DNS, kube-proxy, and the networks that are there.
// What is decided from it is decided elsewhere.
package facts
