// SPDX-License-Identifier: Apache-2.0

// Package host is one machine: commands with a time limit, systemd units, the
// mounts as PID 1 sees them, unmounting that cannot hang the caller, who holds
// a busy mount, removal that never crosses a mount, and who the machine is.
//
// Local is the machine this program runs on. Its Root makes every function
// that touches files work below a directory of a test's own; its Exec replaces
// the commands.
//
// Things that may hang for ever in the kernel (unmounting a dead NFS server)
// are done by a child: this program again, started with a hidden argument.
// Therefore main begins with
//
//	if handled, code := host.Child(os.Args[1:]); handled {
//		os.Exit(code)
//	}
//
// All of it is for Linux; elsewhere the package is empty. Below it, each by itself:
//
//	cri        pods and containers, from the container runtime
//	etcd       the members of an etcd cluster, and its snapshots
//	kubeadm    this machine's kubeadm
//	netfilter  the packet filter; ipvs the kernel's load balancer
//	netlinks   links, addresses and routes
//	reach      whether a path leads to another machine's file system
//	staticpod  a control plane's program, by its manifest
//	tree       removes a directory, and nothing through a mount
package host
