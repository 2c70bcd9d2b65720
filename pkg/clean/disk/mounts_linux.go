// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Ours says of a mount whether it goes: it is Kubernetes', or its network's. What is asked
// about it is decided by mountView.
func (t Disk) Ours(mounts []host.Mount) func(host.Mount) bool {
	view := t.mountViews(mounts)
	return func(m host.Mount) bool { return view(m).goes() }
}

// mountViews looks at mounts.
func (t Disk) mountViews(mounts []host.Mount) func(host.Mount) mountView {
	domains, owners, places := t.domains(mounts), ownership.Mounts(), t.Places()
	fixed, sandboxes := t.fixedMounts(domains), map[string]bool{}
	if !t.Scope.Limited() {
		sandboxes = t.podSandboxes(mounts)
	}
	return func(m host.Mount) mountView {
		v := mountView{
			limited: t.Scope.Limited(), owner: owners.Owner(places.Usual(m.Path)), sandbox: sandboxes[sandboxOf(m.Path)],
			writtenDown: slices.Contains(fixed, m.Path),
			inKubelets:  slices.ContainsFunc(domains, func(d domain) bool { return d.holds(m.Path) }),
		}
		v.network = v.limited && t.networks(m)
		v.peoples = (v.network || v.owner != inventory.Foreign) && t.peoples(m.Path)
		return v
	}
}

// sandboxOf is the sandbox of a runtime with virtual machines for which something is mounted: Kata
// shares with one what is below these directories (kata-containers 3.20, virtcontainers/
// kata_agent.go; "passthrough" and runtime-rs beside it). Empty for another mount.
func sandboxOf(path string) string {
	const idLength = 64
	for _, dir := range []string{"/run/kata-containers/shared/sandboxes/", "/run/kata/", "/run/vc/sbs/", "/run/vc/vm/"} {
		below, is := strings.CutPrefix(path, dir) // no expression: a host has thousands of mounts
		if id, _, _ := strings.Cut(below, "/"); is && len(id) == idLength && strings.Trim(id, "0123456789abcdef") == "" {
			return id
		}
	}
	return ""
}

// podSandboxes are those of pods: something of a pod's is mounted there, by the names that a kubelet
// and containerd's CRI plugin give it, or the runtime has a pod's container of that name. People
// run virtual machines with the same runtime (nerdctl, Docker).
func (t Disk) podSandboxes(mounts []host.Mount) map[string]bool {
	ofPod := regexp.MustCompile(`(?:^|/)pods/(?:` + uids + `)/(?:volumes|volume-subpaths|etc-hosts|containers)(?:/|$)|` +
		`/io\.containerd\.grpc\.v1\.cri/(?:sandboxes|containers)/`)
	out := map[string]bool{}
	for _, m := range mounts {
		id := sandboxOf(m.Path)
		if id == "" || out[id] {
			continue
		}
		bundle := "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" + id
		out[id] = ofPod.MatchString(m.Root) || t.there(bundle) && !t.peoples(bundle+"/rootfs")
	}
	return out
}

// mostOfBundle bounds what is read of a container's bundle: a pod's has some hundred KiB.
const mostOfBundle = 8 << 20

// peoples reports whether a mount is the root of a container that containerd has in the
// namespace of pods and that is no pod's: people run their own there, too (nerdctl -n
// k8s.io). A pod's has the marks of the runtime's CRI plugin in its bundle. Where there is
// no bundle any more, the mount is what a containerd has left that was killed.
func (t Disk) peoples(path string) bool {
	rest, is := strings.CutPrefix(t.Places().Usual(path), "/run/containerd/io.containerd.runtime.v2.task/k8s.io/")
	id, below, deeper := strings.Cut(rest, "/")
	if !is || !deeper {
		return false
	}
	bundle := filepath.Join(strings.TrimSuffix(path, "/"+below), "config.json")
	own, _ := part.Once(t.Host, "bundle "+id, func() (bool, error) {
		raw, err := t.ReadPlain(bundle, mostOfBundle)
		gone := errors.Is(err, fs.ErrNotExist)
		return !gone && !bytes.Contains(raw, []byte(`"io.kubernetes.cri.container-type"`)), nil
	})
	return own
}

// fixedMounts are the mountpoints that an administrator has written down: in
// /etc/fstab, or as units of systemd's. Those that lead through a link to a kubelet's
// directory have the kernel's path, too. None of them is looked at: that may hang. What
// cannot be read is a reason not to begin (mountsInTheWay).
func (t Disk) fixedMounts(domains []domain) []string {
	out, _ := t.WrittenDown()
	links := map[string]string{t.Places().Root: t.KubeletRoot(), inventory.DefaultKubeletRoot: t.KubeadmDir()}
	for _, d := range domains {
		links[d.link] = d.path
	}
	for range 2 { // a link below one
		for _, path := range slices.Clone(out) {
			for link, real := range links {
				if rest, below := strings.CutPrefix(path, link+"/"); link != "" && below && link != real {
					out = append(out, filepath.Join(real, rest))
				}
			}
		}
	}
	return out
}

// WrittenDown are the mountpoints as /etc/fstab and the units have them.
func (t Disk) WrittenDown() ([]string, error) {
	fstab, err := t.Readable("/etc/fstab")
	out := part.Mountpoints(string(fstab))
	for _, dir := range part.UnitDirs() {
		for _, suffix := range []string{".mount", ".automount"} {
			paths, unlisted := t.Listed(dir, suffix)
			err = errors.Join(err, unlisted)
			for _, path := range paths {
				raw, unread := t.Readable(path)
				err = errors.Join(err, unread)
				if where := part.WhereOf(string(raw)); where != "" {
					out = append(out, where)
				}
			}
		}
	}
	return out, err
}

// PodMounts are what is mounted for pods.
func (t Disk) PodMounts() part.Part {
	return part.Part{
		ID: "mounts", Kind: inventory.KindMount, Vital: true,
		Look: t.lookMounts, Take: t.unmount,
	}
}

// lookMounts lists our mounts. Network namespaces are their own part.
func (t Disk) lookMounts(ctx context.Context) (part.Findings, error) {
	var s part.Findings
	mounts, err := t.Mounts()
	if err != nil {
		return s, err
	}
	roots, ours, door, owners, places := t.Roots(), t.Ours(mounts), t.Door(ctx), ownership.Mounts(), t.Places()
	below := func(m host.Mount) bool {
		return slices.ContainsFunc(roots, func(root string) bool { return host.Below(m.Path, root) })
	}
	for _, m := range mounts {
		if host.Below(m.Path, inventory.NetnsDir) || slices.ContainsFunc(door, func(id string) bool { return strings.Contains(m.Path, id) }) {
			continue
		}
		if !ours(m) {
			t.addStaying(&s, m, below(m))
			continue
		}
		owner := owners.Owner(places.Usual(m.Path))
		if owner == inventory.Foreign {
			owner = inventory.Kubelet
		}
		s.Add(inventory.Item{
			Kind: inventory.KindMount, Name: m.Path, Owner: owner, Fate: inventory.Goes,
			Detail: fmt.Sprintf("%s, %s from %s%s", m.Class(), m.FSType, m.Source, BoundAt(m)),
		})
	}
	t.addLoops(&s, mounts, ours)
	return s, nil
}

// addStaying names a mount that is not ours, where it could be taken for one.
func (t Disk) addStaying(s *part.Findings, m host.Mount, below bool) {
	add := func(why, refers string) {
		s.Add(inventory.Item{Kind: inventory.KindMount, Name: m.Path, Owner: inventory.Foreign, Fate: inventory.Stays,
			Detail: string(m.Class()), Why: why, Refers: refers})
	}
	if t.peoples(m.Path) {
		add("of a container in the runtime's namespace k8s.io that is no pod's", "")
	}
	if sandboxOf(m.Path) != "" && !t.Scope.Limited() {
		add("mounted for a sandbox of a runtime with virtual machines", "nothing shows whether that sandbox was a pod's")
	}
	if below && !t.Scope.Limited() {
		add("an administrator's, and not a pod's", "")
	}
}

// addLoops adds the loop devices of pods' volumes.
func (t Disk) addLoops(s *part.Findings, mounts []host.Mount, ours func(host.Mount) bool) {
	loops, err := t.volumeLoops(mounts, ours)
	s.Missed(inventory.KindLoop, "loop devices of pods' volumes", err)
	for _, loop := range loops {
		s.Add(inventory.Item{
			Kind: inventory.KindLoop, Name: loop.Device, In: loop.mount, Owner: inventory.Kubelet, Fate: inventory.Goes, Detail: "keeps a pod's " +
				"block volume open",
		})
	}
	images, err := t.imageLoops(mounts, ours)
	if err != nil {
		s.NotLookedAt(inventory.KindBlock, "loop devices on files that go", err.Error())
	}
	for _, image := range images {
		s.Add(image.item())
	}
}

// BoundAt says which directory of its file system a bind mount shows.
func BoundAt(m host.Mount) string {
	if m.Root == "/" {
		return ""
	}
	return ", at " + m.Root
}

func (t Disk) unmount(ctx context.Context, report plan.Report) error {
	mounts, err := t.Mounts()
	if err != nil {
		return err
	}
	ours := t.Ours(mounts)
	loops, err := t.volumeLoops(mounts, ours)
	if err != nil {
		return err
	}
	for _, loop := range loops {
		if err := loop.Detach(); err != nil {
			return err
		}
		report("detached %s from %s", loop.Device, loop.mount)
	}
	images, _ := t.imageLoops(mounts, ours) // what is not seen, the look names
	err = t.UnmountAll(ctx, func(m host.Mount) bool { return ours(m) && !host.Below(m.Path, inventory.NetnsDir) },
		func(m host.Mount) { report("unmounted %s (%s)", m.Path, m.Class()) })
	if busy := (*host.BusyError)(nil); errors.As(err, &busy) {
		return plan.Hint(err, "end what uses it, then retry")
	}
	if err != nil {
		return err
	}
	for _, image := range images {
		if image.item().Fate != inventory.Goes {
			continue
		}
		if err := image.Detach(); err != nil {
			return err
		}
		report("detached %s from %s", image.Device, image.file)
	}
	return part.Left(ctx, t.lookMounts)
}
