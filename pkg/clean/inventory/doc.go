// SPDX-License-Identifier: Apache-2.0

// Package inventory is what a removal knows and decides without touching a host:
// what is on it, what of that goes and in which order, and whether it is gone.
//
//	Inventory ──▶ Decide ──▶ Removal               what goes, what stays
//	Inventory ──▶ Verify(before, after) ──▶ Verdict
//	Etcd ──▶ Departure, Burial                     whether a member may leave
//
// An Inventory is a flat, sorted list of Items: a unit, a sandbox, a mount, a
// link, a chain, a file … each with its owner and its fate. What is not provably
// Kubernetes' or its network's (by a name that only they use, or by the Facts of
// the cluster) is Foreign: reported, never removed. What could not be read is
// Unchecked, and never called clean.
//
// Everything here is plain data and pure functions, and compiles on every system:
// the plugin reads, decides and shows what the program on the host has found.
package inventory
