// SPDX-License-Identifier: Apache-2.0

// Package lint finds what is wrong with configurations of kubeadm, the kubelet and
// kube-proxy, before anything is made of them.
//
//	lint.go       findings, and the documents that they are about
//	document.go   reads YAML that may be hostile: bounded, with line numbers
//	schema.go     fields and their types, of data/schema.txt
//	arguments.go  flags, admission plugins and feature gates, of data/
//	cluster.go    ClusterConfiguration
//	node.go       InitConfiguration, JoinConfiguration
//	together.go   what contradicts in several documents
//
// kubeadm's own validation looks at its fields alone: what it hands on to the API server,
// the controllers and the kubelet shows hours later as a component that does not start.
// Everything is pure: the same text, the same findings.
package lint
