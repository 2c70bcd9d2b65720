// SPDX-License-Identifier: Apache-2.0

// Package marks gives a node that has joined the role, labels and taints that a person
// wants. A kubelet may not do so itself: the NodeRestriction admission plugin keeps it
// from labels of node-role.kubernetes.io, and from changing its taints later.
package marks
