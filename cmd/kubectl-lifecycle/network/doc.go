// SPDX-License-Identifier: Apache-2.0

// Package network has the commands about the cluster's pod network: cni.
//
//	install.go    cni install
//	list.go       cni list, cni versions
//	compose.go    cni values, cni images
//	request.go    the flags about charts that they have in common
//	look.go       asking hosts, for status and install
//	prove.go      how an installation ends: with packets
//	status.go     cni status
//	uninstall.go  cni uninstall; cleannodes.go takes what the network left off the hosts
//	switch.go     cni switch; switching.go is its steps
//	test.go       cni test
//	explain.go    cni explain
//
// Which network a cluster has or should have is decided in pkg/cni.
package network
