// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"context"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
)

// isDoor reports whether the pod is the one that one looks through.
func (t Runtime) isDoor(p pod) bool {
	return t.Door != "" && slices.ContainsFunc(p.inside, func(c cri.Container) bool { return c.ID == t.Door })
}

// DoorIDs are the ids of the sandbox and the containers of the pod that one
// looks through; none if there is no such pod. That of the container is known also where a
// runtime does not answer.
func (t Runtime) DoorIDs(ctx context.Context) []string {
	if t.Door == "" {
		return nil
	}
	at, err := t.sockets()
	if err != nil {
		return []string{t.Door}
	}
	var out []string
	for _, socket := range at.all() {
		pods, err := t.podsAt(ctx, socket)
		if err != nil {
			out = append(out, t.Door)
		}
		for _, p := range pods {
			if !t.isDoor(p) {
				continue
			}
			out = append(out, p.ID)
			for _, c := range p.inside {
				out = append(out, c.ID)
			}
		}
	}
	return out
}

// pod is a sandbox with its containers. Containers whose sandbox is gone come
// in a pod without an ID.
type pod struct {
	cri.Sandbox
	inside []cri.Container
}

// podsAt are those of the runtime that listens on a socket.
func (t Runtime) podsAt(ctx context.Context, socket string) ([]pod, error) {
	client := cri.New(t.Path(socket))
	defer client.Close()
	return t.podsOf(ctx, client)
}

// podsOf are those of a runtime; it has a limited time for its answer.
func (t Runtime) podsOf(ctx context.Context, client *cri.Client) ([]pod, error) {
	ctx, cancel := context.WithTimeout(ctx, criListLimit)
	defer cancel()
	sandboxes, err := client.Sandboxes(ctx)
	if err != nil {
		return nil, err
	}
	containers, err := client.Containers(ctx)
	if err != nil {
		return nil, err
	}
	of := map[string][]cri.Container{}
	for _, c := range containers {
		of[c.Sandbox] = append(of[c.Sandbox], c)
	}
	var out []pod
	for _, s := range sandboxes {
		hostNet, err := client.HostNetwork(ctx, s.ID)
		if cri.NotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.HostNetwork = hostNet
		out = append(out, pod{s, of[s.ID]})
		delete(of, s.ID)
	}
	for _, orphans := range of {
		out = append(out, pod{inside: orphans})
	}
	return out, nil
}
