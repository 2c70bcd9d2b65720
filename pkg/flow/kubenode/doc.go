// SPDX-License-Identifier: Apache-2.0

// Package kubenode reads one Node: what kind it is, whether it is Ready, what holds
// it and what runs there, and waits until its kubelet is back.
package kubenode
