// SPDX-License-Identifier: Apache-2.0

// Package runner gets the node program onto a node, starts it, and brings its
// events back.
//
// A pod that stops its node's kubelet ends itself; so the pod is only the door.
// It is pinned to the node, uses an image that the cluster's owner already runs
// there (nothing is pulled), and has the host's own userland mounted read-only,
// which alone is run, so that nsenter into PID 1's namespaces works on a NotReady
// node without a network. The program is streamed in over attach, checked by its hash, and
// goes on as a systemd unit of the host. From then on it speaks through the
// run record (package wire) with a token that is bound to that record: the
// kubelet may stop and the Node may go, and it can still report; when the
// record goes, the token dies.
//
// The record is a Secret "lifecycle-<node>". Its creation is the lock on the
// node, its deletion the end: everything else that a run makes is owned by it.
//
// Two ways in: Look runs the program once and returns what it printed, leaving
// no record (inspection); Begin, Tell, Follow and End are the life of a run.
package runner
