// SPDX-License-Identifier: Apache-2.0

// Package cidr reads, writes and compares ranges of addresses as kubeadm,
// kube-proxy and Nodes write them. It is pure.
package cidr
