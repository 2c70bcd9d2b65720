// SPDX-License-Identifier: Apache-2.0

// Package netclean takes what one network has left off a host that stays a node: first it
// looks for the network's agent and for pods that run in it, which are reasons not to
// begin, and in the end whether anything of it is left.
package netclean
