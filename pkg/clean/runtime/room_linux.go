// SPDX-License-Identifier: Apache-2.0

package runtime

import "github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"

// Runtime is a host's container runtime, and what it has made for pods.
type Runtime struct {
	part.Host
	// Door is the id of a container through which one only looks; its pod is no
	// leftover. Empty if there is none.
	Door string
}
