// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// sharesFile is where a removal writes down what its pods were given of the host: the pods
// go first, and what they left there is looked for at the end.
const sharesFile = "shares.json"

// The bounds of what is asked of a runtime. A node has 110 pods unless it is told otherwise.
const (
	mostContainers = 4096
	mostOfPod      = 320  // a namespace of 63 characters, a name of 253
	mostOfPath     = 4096 // PATH_MAX
	sharesLimit    = 10 * time.Second
	mostOfShares   = 16 << 20
)

// Shares are what the pods of this host were given of it to write in or to mount in: as an
// earlier step wrote it down, else as the runtime says. What cannot be told is said in them.
func (t Runtime) Shares(ctx context.Context) part.Shares {
	saved, err := t.recallShares()
	if err != nil {
		return part.Shares{Unknown: err.Error()}
	}
	if saved != nil {
		return *saved
	}
	asked, _ := part.Once(t.Host, "shares", func() (part.Shares, error) { return t.askShares(ctx), nil })
	return asked
}

// RememberShares writes them down, once the runtime has told which pods there are.
func (t Runtime) RememberShares(ctx context.Context) error {
	saved, err := t.recallShares()
	if t.StateDir == "" || err != nil || saved != nil && !saved.Unasked {
		return nil //nolint:nilerr // the look says what is not known
	}
	raw, err := json.Marshal(t.askShares(ctx))
	if err != nil {
		return fmt.Errorf("encode what pods were given of the host: %w", err)
	}
	return t.Save(sharesFile, raw)
}

func (t Runtime) recallShares() (*part.Shares, error) {
	saved, err := t.Saved(sharesFile)
	if err != nil || !saved {
		return nil, err
	}
	raw, err := host.ReadPlain(filepath.Join(t.Path(t.StateDir), sharesFile), mostOfShares)
	var out part.Shares
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("read what pods were given of the host: %w", err)
	}
	return &out, nil
}

// askShares asks every runtime that has pods of this host's.
func (t Runtime) askShares(ctx context.Context) part.Shares {
	ctx, cancel := context.WithTimeout(ctx, sharesLimit)
	defer cancel()
	var out part.Shares
	at, err := t.sockets()
	if err != nil {
		return part.Shares{Unasked: true, Unknown: err.Error()}
	}
	mounts, err := t.Mounts()
	if err != nil {
		out.Unknown = err.Error()
	}
	for _, socket := range at.all() {
		if err := t.sharesAt(ctx, socket, mounts, &out); err != nil {
			out.Unknown, out.Unasked = err.Error(), out.Unasked || socket == at.own
		}
	}
	return out
}

// sharesAt adds those of one runtime's containers, ended ones, too: the first that a pod
// runs put programs and settings onto a host. It is an error if the runtime does not say
// which there are; one that says nothing of a container is noted.
func (t Runtime) sharesAt(ctx context.Context, socket string, mounts []host.Mount, out *part.Shares) error {
	client := cri.New(t.Path(socket))
	defer client.Close()
	all, err := client.Containers(ctx)
	if err != nil {
		return err
	}
	door := ""
	for _, c := range all {
		door = text.Choose(t.Door != "" && c.ID == t.Door, c.Sandbox, door)
	}
	for i, c := range all {
		if door != "" && c.Sandbox == door {
			continue
		}
		if i == mostContainers {
			out.Unknown = fmt.Sprintf("there are %d containers, of which %d were asked", len(all), i)
			return nil
		}
		given, err := client.Mounts(ctx, c.ID)
		if err != nil && !cri.NotFound(err) {
			out.Unknown = err.Error()
		}
		for _, m := range given {
			t.addShare(out, m, c.Pod, mounts)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // said above
		}
	}
	return nil
}

// addShare adds what a container was given of the host's own, wherever the host shows it: a
// subPath of a volume and a local volume are bound below the kubelet's directory before a
// container gets them. Not what the kubelet keeps for the pod alone, which goes with it.
func (t Runtime) addShare(out *part.Shares, m cri.Mount, pod string, mounts []host.Mount) {
	if len(m.HostPath) > mostOfPath || !filepath.IsAbs(m.HostPath) {
		return
	}
	roots := t.Roots()
	kubelets := func(path string) bool {
		return slices.ContainsFunc(roots, func(root string) bool { return part.Within(path, root) })
	}
	path := t.Resolve(filepath.Clean(m.HostPath))
	if m.ReadOnly && !m.Bidirectional && !(part.Share{Path: path}).Bus() {
		return
	}
	mounted := func(at string) bool {
		return slices.ContainsFunc(mounts, func(on host.Mount) bool { return on.Path == at })
	}
	if kubelets(path) && !mounted(path) {
		return
	}
	for _, at := range part.Shown(path, mounts) {
		if !kubelets(at) { // what is mounted elsewhere by itself, the pod did not mount there
			mounts := m.Bidirectional && (at == path || !mounted(at))
			out.Add(part.Share{Path: at, Pod: text.Short(pod, mostOfPod), Writes: !m.ReadOnly, Mounts: mounts})
		}
	}
}
