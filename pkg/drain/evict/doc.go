// SPDX-License-Identifier: Apache-2.0

// Package evict asks for the pods of a decision and waits until they are gone.
//
// It knows the rules by which the API server answers an eviction. It watches the
// pods of the nodes and the PodDisruptionBudgets, and asks when a budget opens
// instead of asking until one does. It never polls a pod, it never touches another
// pod of the same name, and it says what it waits for. The API server stays the
// judge: budgets read here only save requests.
//
//	turns    whose pods may be asked for: nodes in turn, stages in order
//	ledger   what was asked of each budget and does not show in its status yet
//	dispatch sends what may be sent; ask is one request, and the reading of its answer
//	observe  brings the pods up to date with what the watches tell
//	tell     what is said as it goes on; group and outcome what is said at the end
//
// With Options.WaitForReplacement it waits until the controllers of the pods have
// all their Ready pods again. It changes no replicas and no budgets; package surge
// does the one, a person the other. Rehearse asks the same as a dry run.
//
// Its tests hold package forecast to the turns and gates that are played here; the
// package itself does not import it.
package evict
