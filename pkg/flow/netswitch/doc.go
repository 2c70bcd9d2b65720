// SPDX-License-Identifier: Apache-2.0

// Package netswitch is what a change of the pod network must not forget, and the pods that
// it leaves without a network.
//
// The state is a ConfigMap: which network is replaced by which, how far that is, which
// hosts are clean. It is written before the first change and deleted after the last, so
// that the same command goes on after any interruption, and a second one is refused.
package netswitch
