// SPDX-License-Identifier: Apache-2.0

// Package flow holds the recipes: which domain does what, in which order. Here and in
// the recipes' own packages below it domains meet, and nowhere else.
//
// A recipe is a function that reads what it must, refuses what cannot be done before
// anything has changed, and returns a plan.Plan whose steps a stranger can read aloud.
// Its plan is put together of what builds steps:
//
//	Remove   startSteps  drainSteps  hostSteps  finishSteps
//	Move     token, the steps of a removal, arrival
//	Lost     its etcd member, drainSteps, finishSteps (package lost)
//
// Drain is the one recipe of a drain, which the verb, a removal, a wave of removals, a
// move and the loss of a host share. What is done on a host is an operation: a removal
// has its own, a move another.
package flow
