// SPDX-License-Identifier: Apache-2.0

// Package surge makes room for pods that a PodDisruptionBudget would keep for ever:
// their Deployment gets replicas for the time of the drain, or a rolling restart.
//
//	Read ──▶ Facts ──▶ Decide ──▶ []Measure ──▶ Begin ──▶ … ──▶ Find ──▶ Revert
//	                   (pure)                  (one PATCH each)
//	                                           Watch tells what something else undoes
//
// Everything that Begin changes it notes on the Deployment in the same PATCH, so that
// Find finds it from anywhere and Revert gives back what was there; a number of
// replicas that another has changed since stays.
package surge
