// SPDX-License-Identifier: Apache-2.0

// Package runner begins, follows and ends the work of the node program on a host.
//
// A Carrier brings the program (package payload) there: podcarrier through a pod, sshcarrier
// through the person's ssh. Package probe sends packets between pods. The program goes
// on as a systemd unit of the host, and from then on it speaks through the run record
// (package wire) with a token that is bound to that record: the kubelet may stop and
// the Node may go, and it can still report; when the record goes, the token dies.
//
// The record is a Secret "lifecycle-<node>". Its creation is the lock on the node,
// its deletion the end: everything else that a run makes is owned by it.
//
// There are two kinds of operations on a node (Operations). RunOnce runs the program once and
// returns what it answered, leaving no record (an inspection). Begin, SendOrder,
// AwaitAck, Follow and End are the life of a run.
package runner
