// SPDX-License-Identifier: Apache-2.0

// Package newhost is what is done with hosts that no cluster has yet, over the person's
// own ssh: preparing them for kubeadm, and joining them.
//
//	Wanted   reads what a cluster wants of its nodes
//	Prepare  has hosts say what they lack, mend it, or take that back
//	Join     prepares a host, has kubeadm join it, and follows it until it is Ready
package newhost
