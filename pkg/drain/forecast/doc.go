// SPDX-License-Identifier: Apache-2.0

// Package forecast says how a drain would go, without one: in which waves the pods
// leave, what keeps some for good and what would let them go, how long it takes, and
// what is lost.
//
//	Read ──▶ Input ──▶ Predict ──▶ Forecast
//	(one list of each kind)  (pure)
//
// Read asks for one list of each kind over the whole cluster and keeps no more of it
// than is needed. Predict reads nothing: budgets are charged by the API server's own
// rules (package pdb), nodes have room by the scheduler's (package scheduling), and
// nodes and stages take turns as they do in package evict, whose tests hold the walk
// to that. Nothing here changes a cluster.
package forecast
