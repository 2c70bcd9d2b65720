// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/disk"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/network"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// Traces are what on a host still refers to the cluster. Disk and Network tell what
// has been found already.
type Traces struct {
	part.Host
	Disk    disk.Disk
	Network network.Network
}
