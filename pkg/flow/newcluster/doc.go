// SPDX-License-Identifier: Apache-2.0

// Package newcluster makes the first control plane of a new cluster, on a host that the
// person's own ssh reaches, with kubeadm.
//
//	Settings.Documents  is kubeadm's configuration, of flags and of a file; pure
//	Wanted              is what that wants of the host
//	Create              prepares the host, has kubeadm make the cluster, and returns the
//	                    administrator's kubeconfig
//
// What only the host knows (its address, the version of its kubeadm) is filled in there.
package newcluster
