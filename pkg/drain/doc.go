// SPDX-License-Identifier: Apache-2.0

// Package drain says which pods leave a node, which may not and why, and asks
// them to go.
//
//	Survey ──▶ Snapshot ──▶ Decide ──▶ Decision ──▶ Refusal?   nothing was changed
//	(reads)                 (pure)        │
//	                                      ▼
//	                      Cordon ──▶ Evict ──▶ Outcome
//	                     (one PATCH)  (one request per pod, two watches)
//
// Which pods may go is decided exactly as "kubectl drain" decides it, flag by
// flag; the pods of this program (IsRunner) are left alone besides. The filters run
// before the cordon, so a refused drain changes nothing.
//
// Evict knows the rules by which the API server answers an eviction. It
// watches the pods of the node and the PodDisruptionBudgets, and asks when a
// budget opens instead of asking until one does. It never polls a pod, it
// never touches another pod of the same name, and it says what it waits for.
// The API server stays the judge: budgets read here only save requests.
//
// What it does not do: create room, change replicas or budgets, or wait until
// the replacements are Ready.
package drain
