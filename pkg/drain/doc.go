// SPDX-License-Identifier: Apache-2.0

// Package drain says which pods leave a node, which may not and why, and cordons
// it. What is done after that has rooms of its own:
//
//	Survey ──▶ Snapshot ──▶ Decide ──▶ Decision ──▶ Refusal?   nothing was changed
//	(reads)                 (pure)        │
//	                                      ▼
//	                  Cordon ──▶ evict.Evict ──▶ evict.Outcome ──▶ detach.Await
//
//	pdb       PodDisruptionBudgets in numbers, and how the eviction API answers; pure
//	evict     asks for the pods of a decision and waits until they are gone
//	detach    waits until the volumes of the nodes are detached
//	surge     gives Deployments more replicas, or a restart, where a budget never opens
//	forecast  says how a drain would go, without one
//
// This package imports only pdb of them, which knows nothing of drains. The others
// import this package, and none of them imports another.
//
// Which pods may go is decided exactly as "kubectl drain" decides it, flag by
// flag; the pods of this program (kube.IsRunner) are left alone besides. The
// filters run before the cordon, so a refused drain changes nothing.
//
// Also here is what a drain says and hears beside that: the conditions that it
// sets on a Node (Mark), who is asked before a pod leaves (ReadAdmission), and why
// the API server did not do a write (ReadDenial). The package writes to Nodes only.
package drain
