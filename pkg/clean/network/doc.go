// SPDX-License-Identifier: Apache-2.0

// Package network takes away what a pod network made in the kernel: BPF programs on
// what stays, links, addresses, routes and routing rules, remembered connections, and
// pins, in the order in which they use each other.
//
// A link, a route or a rule that only looks like a network's, by its name or its
// number, goes with a second sign of another kind, and stays and is named otherwise.
package network
