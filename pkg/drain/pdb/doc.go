// SPDX-License-Identifier: Apache-2.0

// Package pdb is what a PodDisruptionBudget amounts to: its numbers, which budgets
// match a pod, and how the eviction API would answer (GateOf), by the rules of the
// API server (Kubernetes 1.36, pkg/registry/core/pod/storage/eviction.go) and of
// the disruption controller. It is pure: it reads no cluster, and the API server
// stays the judge of what it works out.
package pdb
