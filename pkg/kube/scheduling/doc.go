// SPDX-License-Identifier: Apache-2.0

// Package scheduling says where the successors of pods would find a place: the
// filters of kube-scheduler 1.37 over nodes and pods as they were read. It has its
// own copy of those rules because k8s.io/kubernetes is not made to be imported; a
// test on a real scheduler holds it to them. It is pure. Room says what it leaves out.
package scheduling
