// SPDX-License-Identifier: Apache-2.0

// Package flow holds the recipes: which domain does what, in which order. It is
// the only place where domains meet.
//
// A recipe is a function that reads what it must, refuses what cannot be done
// before anything has changed, and returns a plan.Plan whose steps a stranger
// can read aloud.
package flow
