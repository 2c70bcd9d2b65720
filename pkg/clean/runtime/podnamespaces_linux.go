// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
)

// namespacesFile is where a removal writes down which network namespaces are pods': the
// pods go first, and what tells with them.
const namespacesFile = "network-namespaces.json"

// bundlesDir is where containerd keeps what its containers are made of, those of the
// namespace that is for pods.
const bundlesDir = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"

// podNamespaces are those of some network namespaces that are pods' by more than their
// names: podman up to 3 and everyone who uses containerd's library calls theirs
// cni-UUID, too. It tells what an earlier step has written down, a result of a pod
// network, a sandbox's bundle, or the runtime.
func (t Runtime) podNamespaces(ctx context.Context, named []string) ([]string, error) {
	var out []string
	if len(named) == 0 {
		return nil, nil
	}
	var unread []error
	for _, find := range []func(context.Context) ([]string, error){
		t.recallNamespaces, t.resultNamespaces, t.bundleNamespaces, t.runtimeNamespaces,
	} {
		found, err := find(ctx)
		if errors.Is(err, host.ErrRemote) { // no sign that can be read: what has no other stays, and is named
			continue
		}
		if err != nil {
			unread = append(unread, fmt.Errorf("find out which network namespaces are pods': %w", err))
		}
		for _, path := range found {
			if path = usual(path); slices.Contains(named, path) && !slices.Contains(out, path) {
				out = append(out, path)
			}
		}
		if len(out) == len(named) {
			return out, nil
		}
	}
	return out, errors.Join(unread...)
}

// usual is a path below /run.
func usual(path string) string { return strings.Replace(filepath.Clean(path), "/var/run/", "/run/", 1) }

// RememberNamespaces writes down which network namespaces are pods', once, and which numbers
// all the namespaces of pods have.
func (t Runtime) RememberNamespaces(ctx context.Context) error {
	err := t.Keep(namespacesFile, func() ([]byte, error) {
		names, err := t.Names(inventory.NetnsDir)
		if err != nil {
			return nil, fmt.Errorf("list network namespaces: %w", err)
		}
		pods, _ := t.podNamespaces(ctx, podLike(names)) // the part that removes them says what is not known
		return json.Marshal(pods)
	})
	if err != nil {
		return err
	}
	paths, _ := t.recallNamespaces(ctx) // as above
	return t.rememberSpaces(paths)
}

// rememberSpaces writes down the numbers of the pods' namespaces, once in a boot: those of
// the processes in their cgroups, and of what /run/netns has for them.
func (t Runtime) rememberSpaces(networks []string) error {
	boot, err := host.BootID()
	if err != nil || t.StateDir == "" {
		return err
	}
	if noted, err := t.recallSpaces(); err != nil || noted.At > 0 && noted.Boot == boot {
		return nil //nolint:nilerr // the look says that it cannot be read
	}
	pids, _ := t.podProcesses() // what is not known, the part that ends them says
	var inPods []string
	for pid := range pids {
		inPods = append(inPods, spacesOf(pid)...)
	}
	for _, path := range networks {
		at, err := t.Reach(path)
		var kind unix.Statfs_t
		var of unix.Stat_t
		if err == nil && unix.Statfs(at, &kind) == nil && kind.Type == unix.NSFS_MAGIC && unix.Stat(at, &of) == nil {
			inPods = append(inPods, fmt.Sprintf("net:[%d]", of.Ino))
		}
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return fmt.Errorf("find out how long this machine runs: %w", err)
	}
	note := spaces{Boot: boot, At: uint64(now.Nano()) / (1e9 / ticks)}
	note.IDs, note.More = spacesOfPods(spacesOf(1), inPods)
	raw, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("encode which namespaces are pods': %w", err)
	}
	return t.Save(spacesFile, raw)
}

func (t Runtime) recallSpaces() (out spaces, err error) {
	if t.StateDir == "" {
		return out, nil
	}
	raw, err := host.ReadPlain(filepath.Join(t.Path(t.StateDir), spacesFile), part.MostOfFile)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	return out, err
}

// podLike are the paths of network namespaces that are named as a runtime names a pod's.
func podLike(names []string) []string {
	var out []string
	for _, name := range names {
		if path := filepath.Join(inventory.NetnsDir, name); ownership.Mounts().Owner(path) != inventory.Foreign {
			out = append(out, path)
		}
	}
	return out
}

func (t Runtime) recallNamespaces(context.Context) ([]string, error) {
	saved, err := t.Saved(namespacesFile)
	if err != nil || !saved {
		return nil, err
	}
	raw, err := host.ReadPlain(filepath.Join(t.Path(t.StateDir), namespacesFile), part.MostOfFile)
	var out []string
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	return out, err
}

func (t Runtime) resultNamespaces(context.Context) ([]string, error) {
	results, err := cni.Networks{Host: t.Host}.Results()
	var out []string
	for _, r := range results {
		if r.Pods {
			out = append(out, r.Namespaces...)
		}
	}
	return out, err
}

// bundleNamespaces are those of the pods' sandboxes that containerd has. A bundle that is
// gone by now, or cannot be read, is no sign.
func (t Runtime) bundleNamespaces(context.Context) ([]string, error) {
	ids, err := t.Names(bundlesDir)
	var out []string
	for _, id := range ids {
		raw, _ := t.ReadPlain(filepath.Join(bundlesDir, id, "config.json"), mostOfBundle)
		var bundle struct {
			Linux struct {
				Namespaces []struct{ Type, Path string }
			}
		}
		if !bytes.Contains(raw, []byte(`"io.kubernetes.cri.container-type"`)) || json.Unmarshal(raw, &bundle) != nil {
			continue
		}
		for _, n := range bundle.Linux.Namespaces {
			if n.Type == "network" {
				out = append(out, n.Path)
			}
		}
	}
	return out, err
}

// runtimeNamespaces are those of the pods that the runtime has. One that does not answer
// tells nothing, which the part that removes pods says.
func (t Runtime) runtimeNamespaces(ctx context.Context) ([]string, error) {
	socket, err := t.Socket()
	if err != nil || socket == "" {
		return nil, nil //nolint:nilerr // as above
	}
	client := cri.New(t.Path(socket))
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, criListLimit)
	defer cancel()
	sandboxes, err := client.Sandboxes(ctx)
	if err != nil {
		return nil, nil //nolint:nilerr // as above
	}
	var out []string
	for _, s := range sandboxes {
		if path, err := client.NetNS(ctx, s.ID); err == nil && path != "" {
			out = append(out, path)
		}
	}
	return out, nil
}

// NetworkIDs are the numbers that the host's network namespace has for those of pods: of
// the processes in their cgroups, those that something here says are pods', and those that a
// process from outside keeps.
func (t Runtime) NetworkIDs() map[int]bool {
	out := map[int]bool{}
	pids, _ := t.podProcesses() // what is not known is no sign; other parts say so
	in := slices.Collect(maps.Keys(pids))
	brought, _ := t.outsiders(context.Background(), pids) // as above
	for pid, spaces := range brought {
		if slices.ContainsFunc(spaces, func(id string) bool { return strings.HasPrefix(id, "net:") }) {
			in = append(in, pid)
		}
	}
	for _, pid := range in {
		if id, err := netlink.GetNetNsIdByPid(pid); err == nil && id >= 0 {
			out[id] = true
		}
	}
	names, _ := t.Names(inventory.NetnsDir)
	pods, _ := t.podNamespaces(context.Background(), podLike(names))
	for _, path := range pods {
		if id, err := t.NetworkID(path); err == nil && id >= 0 {
			out[id] = true
		}
	}
	return out
}
