// SPDX-License-Identifier: Apache-2.0

// Package plan is a list of things to do, and the doing of it.
//
// A recipe is an ordinary function that returns a Plan: a title, the steps in
// their order, and notes about what will not be done. Run walks the steps:
//
//	Needed? ── no ──▶ skipped
//	   │ yes
//	   ▼
//	   Do ── error ──▶ the plan stops; Undo of the finished steps, in reverse
//	   │
//	   ▼
//	  done
//
// Because every step first asks whether it is still needed, running a plan
// again is resuming it, and a dry run is simply showing a plan without Run.
//
// What happens is told to one Observer as Events. The same Event type travels
// from a program on a host to the terminal of the person who started it.
//
// Errors that a person can do something about carry a Hint, and the class of
// an error decides the exit code of the command (see Class).
//
// The package imports the standard library only.
package plan
