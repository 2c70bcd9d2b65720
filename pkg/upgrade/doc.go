// SPDX-License-Identifier: Apache-2.0

// Package upgrade knows what stands in the way of another version of Kubernetes, and in which
// order nodes go there.
//
// It is pure: what was read of a cluster comes in as Facts, plain data, and findings with
// their ids, and the order of the nodes come out. It imports the standard library and
// pkg/text only.
//
//	Facts, target ─▶ Check ─▶ findings        nodes ─▶ Order ─▶ control planes, etcd's
//	                                                            leader last, then workers
package upgrade
