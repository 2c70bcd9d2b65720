// SPDX-License-Identifier: Apache-2.0

// Package network has the commands about the cluster's pod network: cni.
//
//	install.go    cni install
//
// Which network a cluster has or should have is decided in pkg/cni.
package network
