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
//	bootstrap  bootstrap tokens
//	watch      copies of API objects, and the ends of waits
package join
