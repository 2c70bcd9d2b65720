// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// Control is what makes a host a node: its kubelet, and that one's credentials.
type Control struct {
	part.Host
	// Containers finds the pods that the runtime has, and Socket is where it listens:
	// kubeadm is asked only once there are none.
	Containers func(ctx context.Context) (part.Findings, error)
	Socket     func() (string, error)
	// Remember writes down what the things that go tell about this host.
	Remember func(ctx context.Context) error
}
