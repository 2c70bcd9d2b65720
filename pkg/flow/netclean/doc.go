// SPDX-License-Identifier: Apache-2.0

// Package netclean takes what a network has left off the hosts of nodes that stay: some at
// a time, each through a pod that is gone afterwards. A host that does not answer, or that
// refuses, keeps no other from being cleaned; one table says what became of each.
package netclean
