// SPDX-License-Identifier: Apache-2.0

// Package podcarrier brings the node program onto a node through a pod, the first
// carrier of package runner.
//
// A pod that stops its node's kubelet ends itself, so the pod only opens the way. It
// is pinned to the node, uses an image that the cluster's owner already runs there
// (nothing is pulled), and has the host's own userland mounted read-only, which alone
// is run: nsenter into PID 1's namespaces works on a NotReady node without a network.
// The program is streamed in over attach, or mounted from Secrets, and checked by its
// hash; it answers in one line and goes on as a systemd unit of the host.
//
// The pod is compared field by field with what was sent, for what admission adds to
// a privileged pod would be root on the node, too. What comes back through it may be
// the word of a host that was taken over: it is bounded in size and in time.
package podcarrier
