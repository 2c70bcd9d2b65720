// SPDX-License-Identifier: Apache-2.0

// Package runtime ends the pods of a host, through its container runtime as long as
// that can: sandboxes and containers, what is left of their processes and shims, their
// network namespaces and their cgroups. A pod whose network cannot be taken down is
// removed without it.
package runtime
