// SPDX-License-Identifier: Apache-2.0

package kube

// EnforceLabel is the level of the Pod Security Standards that a namespace enforces, and
// EnforcePrivileged the one that enforces nothing. Only administrators set the label.
// Where it is set, a user who may create pods is root on every node by that alone.
const (
	EnforceLabel      = "pod-security.kubernetes.io/enforce"
	EnforcePrivileged = "privileged"
)
