// SPDX-License-Identifier: Apache-2.0

// Package upgrade knows what stands in the way of another version of Kubernetes, and in which
// order nodes go there.
//
// It is pure: what was read of a cluster comes in as Facts, plain data, and findings with
// their ids, the order of the nodes, and what is done on one of them come out. Both sides
// read it, the plugin and the node program, so it imports the standard library, pkg/plan and
// pkg/text only.
//
//	Facts, target ─▶ Check ─▶ findings        nodes ─▶ Order ─▶ control planes, etcd's
//	                                                            leader last, then workers
package upgrade
