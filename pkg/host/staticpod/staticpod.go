// SPDX-License-Identifier: Apache-2.0

package staticpod

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
)

const (
	// namespace is where kubeadm's static pods are.
	namespace = "kube-system"
	// grace is how long a program may take to end, where its pod does not say: kubeadm's
	// manifests leave it to the default of 30 seconds.
	grace = 30 * time.Second
)

// Programs are what runs from manifests on a host.
type Programs struct {
	sandboxes  map[string]cri.Sandbox
	containers []cri.Container
}

// Read asks the runtime what runs.
func Read(ctx context.Context, runtime *cri.Client) (Programs, error) {
	p := Programs{sandboxes: map[string]cri.Sandbox{}}
	sandboxes, err := runtime.Sandboxes(ctx)
	if err != nil {
		return p, fmt.Errorf("ask the container runtime for its pods: %w", err)
	}
	for _, s := range sandboxes {
		p.sandboxes[s.ID] = s
	}
	if p.containers, err = runtime.Containers(ctx); err != nil {
		return p, fmt.Errorf("ask the container runtime for its containers: %w", err)
	}
	return p, nil
}

// Find returns the running container of a static pod by its name, which is the program's
// in kubeadm's manifests. Its pod has to be one that the kubelet read from a file, in
// kube-system: no one else can make such a pod. Of two it cannot be said which one counts.
func (p Programs) Find(program string) (cri.Container, error) {
	var found []cri.Container
	for _, c := range p.containers {
		s, known := p.sandboxes[c.Sandbox]
		if c.Running && c.Name == program && known && s.Ready && s.FromFile && s.Namespace == namespace {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return cri.Container{}, fmt.Errorf("no container %s of a static pod runs", program)
	case 1:
		return found[0], nil
	}
	return cri.Container{}, fmt.Errorf("%d containers %s of static pods run: is there a second manifest in the directory of the first?",
		len(found), program)
}

// Restart ends the container of a program; the kubelet starts another one.
func Restart(ctx context.Context, runtime *cri.Client, program string) error {
	p, err := Read(ctx, runtime)
	if err != nil {
		return err
	}
	c, err := p.Find(program)
	if err != nil {
		return err
	}
	most := max(c.Grace, grace)
	ctx, cancel := context.WithTimeout(ctx, most+grace)
	defer cancel()
	return runtime.StopContainer(ctx, c.ID, most)
}
