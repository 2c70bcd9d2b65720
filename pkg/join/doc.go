// SPDX-License-Identifier: Apache-2.0

// Package join says what a host has to know to join a kubeadm cluster, and
// composes its command. Nothing here touches the host itself.
//
//	Survey, LookFromOutside ─▶ bootstrap.Mint ─▶ WaitSigned ─▶ Command ─▶ arrival.Follow ─▶ bootstrap.Revoke
//	(reads)                    (Secret)          (watches)     (pure)     (watches)         (deletes the Secret)
//
// The rooms below it, each of which knows only those after it:
//
//	arrival    watches a host arrive
//	check      what would keep hosts out, or pods away from their nodes
//	marks      the role, labels and taints that a node gets once it has joined
//	certificates  those that a new control plane fetches, and for how long they are there
//	bootstrap  bootstrap tokens
//	watch      copies of API objects, and the ends of waits
package join
