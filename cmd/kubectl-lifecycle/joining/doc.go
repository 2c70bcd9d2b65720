// SPDX-License-Identifier: Apache-2.0

// Package joining has the commands that bring a host into the cluster, or make one: lint, init,
// prep, join.
//
//	join.go     the command, and following the host; joinrequest.go is what its flags ask for
//	token.go    making its bootstrap token
//	list.go     the tokens that there are: join list, join revoke
//	init.go     making a cluster over ssh; founding.go does it
//	controlplane.go  certificates for a host that becomes a control plane
//	lint.go     what is wrong with a configuration of kubeadm
//	prep.go     preparing hosts over ssh
//	ssh.go      preparing, joining and following them
//	install.go  the flags by which packages come to hosts
//	show.go     what was found and changed on hosts
//
// What a host needs to know, and how it arrives, is decided in pkg/join.
package joining
