// SPDX-License-Identifier: Apache-2.0

// Package kubeadm joins this machine to a cluster with its own kubeadm: it looks
// before whether that can work, has kubeadm do it, and says whether it has.
package kubeadm
