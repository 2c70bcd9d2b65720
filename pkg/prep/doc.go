// SPDX-License-Identifier: Apache-2.0

// Package prep says what a host lacks before kubeadm can make a node of it.
//
//	survey  reads the host into Facts (package survey, on the host)
//	Decide  compares them with what the cluster wants: Findings, each with its Changes (pure)
//	install brings packages to the host, as package packages decides, where that is asked for
//	apply   makes the changes, remembers what was there before, and takes them back (package apply)
//
// A check is one short function from facts to findings. Its identifier
// ("PREP010-swap") is the same on the laptop, in a script and on the host. A change
// is made only where the check names it, and the host is read again afterwards: what
// counts is the value that the kernel or the container runtime uses, not the file
// that was written.
//
// It is pure, and compiles on all systems: the plugin shows what a host has answered.
package prep
