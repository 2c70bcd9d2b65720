// SPDX-License-Identifier: Apache-2.0

// Package certificates keeps secret kubeadm-certs for the time of one join: the
// authorities of a cluster with their keys, encrypted, from which kubeadm join makes
// another control plane. All that is made here belongs to the bootstrap token of that
// join and goes with it.
package certificates
