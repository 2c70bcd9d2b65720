// SPDX-License-Identifier: Apache-2.0

// Package kubeconfig adds a cluster to a person's own kubeconfig.
//
//	Read   reads the file that kubectl would write to
//	Add    adds a cluster, its user and a context under one name; pure
//	Write  keeps what was there before, and writes the file whole or not at all
//
// What is in such a file opens clusters: nothing here is shown, and errors name files and
// entries only.
package kubeconfig
