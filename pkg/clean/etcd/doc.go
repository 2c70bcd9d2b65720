// SPDX-License-Identifier: Apache-2.0

// Package etcd takes the member that a control plane's host has out of its etcd
// cluster, before anything else on the host is changed, and says what of its data may
// go then. It asks the members over their JSON gateway, with the certificates that
// kubeadm has put there, and decides by package inventory: nothing here overrules
// the quorum.
package etcd
