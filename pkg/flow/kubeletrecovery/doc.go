// SPDX-License-Identifier: Apache-2.0

// Package kubeletrecovery brings back a node whose kubelet's client certificate has expired:
// its kubelet asks for another one, with a bootstrap token that is for it alone.
//
//	New     refuses a node whose kubelet is accepted, and one that kubeadm has not made
//	Plan    has a host do it, over the person's own ssh, and waits until the node is Ready
//	Script  the same as commands, for a person on the host
//
// No pod can help: a kubelet that is not accepted learns of none.
package kubeletrecovery
