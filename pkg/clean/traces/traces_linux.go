// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/disk"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// Part asks the other way round: not which of the things that we know is here,
// but what on this host still refers to the cluster. What a pod network left is
// found by its own part; what is found here is not provably ours, so it stays and
// is named, and the verdict is not "clean".
func (t Traces) Part() part.Part {
	return part.Part{ID: "traces", Title: "What refers to the cluster", Kind: inventory.KindFile,
		Look: func(ctx context.Context) (part.Findings, error) {
			var s part.Findings
			s.Missed(inventory.KindMount, "mounts of pods' volumes", t.lookVolumes(&s))
			links, err := t.links()
			s.Missed(inventory.KindAddress, "addresses that the cluster announced", err)
			t.lookAnnounced(&s, links)
			t.lookAsking(&s, links)
			t.lookHandlers(ctx, &s)
			t.lookGiven(&s)
			s.Missed(inventory.KindFile, "files that refer to the cluster", t.lookReferring(ctx, &s))
			return s, nil
		}}
}

// lookVolumes finds volumes of pods that are mounted where nothing of ours looks: by
// a kubelet with another directory, or bound to another place.
func (t Traces) lookVolumes(s *part.Findings) error {
	mounts, err := t.Mounts()
	if err != nil {
		return err
	}
	roots, ours, fits := t.Roots(), t.Disk.Ours(mounts), podVolume()
	for _, m := range mounts {
		if slices.ContainsFunc(roots, func(root string) bool { return host.Below(m.Path, root) }) || ours(m) || !fits.MatchString(m.Path+"/") &&
			!fits.MatchString(m.Root+"/") {
			continue
		}
		s.Add(inventory.Item{
			Kind: inventory.KindMount, Name: m.Path, Owner: inventory.Foreign, Fate: inventory.Stays, Detail: string(m.Class()) + disk.BoundAt(m),
			Why: "not where this host's kubelet mounts volumes", Refers: "a volume of a pod is mounted there",
		})
	}
	return nil
}

// lookAnnounced finds addresses that the cluster gave to links that stay.
func (t Traces) lookAnnounced(s *part.Findings, links []held) {
	if why := unannounced(t.Facts); why != "" {
		s.NotLookedAt(inventory.KindAddress, "addresses of the cluster's load balancers", why)
	}
	by := announced{t.Cluster(), t.Facts, t.Places().DNS}
	for _, l := range links {
		for _, a := range l.addrs {
			if how := by.address(l.name, a.Addr().String()); how != "" && l.owner == inventory.Foreign {
				s.Add(inventory.Item{
					Kind: inventory.KindAddress, Name: a.String(), In: l.name, Owner: inventory.Foreign, Fate: inventory.Stays,
					Why: "nothing shows who gave it to " + l.name, Refers: how,
				})
			}
		}
	}
}

// search looks for files that refer to a cluster.
type search struct {
	t       Traces
	id      cluster.Identity
	mounts  []host.Mount
	mounted map[string]bool
	// ours says of a mount whether a removal unmounts it.
	ours func(host.Mount) bool
	// seen are files that other parts have named.
	seen map[string]bool
	skip []string
	// kubernetes is /etc/kubernetes without symbolic links.
	kubernetes string
	// entries is how many were looked at, and began how many before this root.
	entries, began int
	read           int64
	// joined is when the host joined: nothing that has not changed since is read,
	// where a root says so.
	joined time.Time
	found  []inventory.Item
	// passed are those that were not looked at, and why.
	passed []passed
	// links are how many were looked at, over those directories to which some lead, linked
	// those that were followed. searched are the roots, pending those that are to be.
	links, over       int
	linked            []link
	searched, pending []searchRoot
}

// passed is a file or directory that a search has left out.
type passed struct {
	kind    inventory.Kind
	at, why string
}

// pass leaves something out because of an error, unless it has gone since.
func (f *search) pass(kind inventory.Kind, at string, err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		f.passed = append(f.passed, passed{kind, at, err.Error()})
	}
}

// tellPassed names what was left out: some, and how many more.
func (f *search) tellPassed(s *part.Findings) {
	for i, p := range f.passed {
		if i == mostUnread {
			s.MoreNotLookedAt(p.kind, "more files and directories", len(f.passed)-i)
			return
		}
		s.NotLookedAt(p.kind, p.at, p.why)
	}
}

// tooMuch ends a search that has become too long.
const tooMuch = searchError("there is too much to look at all of it")

// enough ends the search of one root.
const enough = searchError("it has more in it than is looked at over a link")

type searchError string

func (e searchError) Error() string { return string(e) }

// lookReferring searches the files of this host, within bounds: what is beyond them
// is named, since it cannot be said then that nothing is left.
func (t Traces) lookReferring(ctx context.Context, s *part.Findings) error {
	f := search{t: t, id: t.Cluster(), kubernetes: t.Resolve(inventory.KubernetesDir), joined: t.Facts.Joined, seen: map[string]bool{}}
	for _, dir := range t.unsearched() {
		f.skip = append(f.skip, dir, t.Resolve(dir))
	}
	if err := t.ClusterUnread(); err != nil {
		s.NotLookedAt(inventory.KindFile, "what refers to the cluster", "nothing tells for certain which it was: "+err.Error())
	}
	if len(f.id.Authorities)+len(f.id.Endpoints) == 0 {
		return nil // a host that is in no cluster
	}
	homes, err := t.Disk.Homes()
	if err != nil {
		return err
	}
	if f.mounts, err = t.Mounts(); err != nil {
		return err
	}
	f.mounted, f.ours = map[string]bool{}, t.Disk.Ours(f.mounts)
	for _, m := range f.mounts {
		f.mounted[m.Path] = true
	}
	var looked part.Findings // what the files' part says of kubeconfigs, it says
	if err := t.Disk.LookKubeconfigs(&looked); err != nil {
		return err
	}
	for _, it := range looked.Items {
		f.seen[it.Name], f.seen[t.Resolve(it.Name)] = true, true
	}
	ctx, cancel := context.WithTimeout(ctx, searchLimit)
	defer cancel()
	left, err := f.searchAll(f.roots(homes), func(root searchRoot) error { return f.below(ctx, root) })
	switch {
	case errors.Is(err, tooMuch), errors.Is(err, context.DeadlineExceeded):
		t.unsearchedOf(s, left)
	case err != nil:
		return err
	}
	f.nameLinks()
	f.tellPassed(s)
	for _, it := range f.found {
		if !slices.ContainsFunc(s.Items, func(o inventory.Item) bool { return o.Key() == it.Key() }) {
			s.Add(it)
		}
	}
	return nil
}

// unsearchedOf names the directories at whose first a search has ended.
func (t Traces) unsearchedOf(s *part.Findings, roots []searchRoot) {
	// Most people have no .kube, and many users no home.
	roots = slices.Concat(roots[:1], slices.DeleteFunc(slices.Clone(roots[1:]), func(r searchRoot) bool {
		is, err := t.Exists(r.dir)
		return !is && err == nil
	}))
	for i, root := range roots {
		switch {
		case i == mostUnread:
			s.NotLookedAt(inventory.KindDir, root.dir, fmt.Sprintf("%s; nor were %d more directories", tooMuch, len(roots)-i-1))
			return
		case i > 0:
			s.NotLookedAt(inventory.KindDir, root.dir, tooMuch.Error())
		default:
			s.NotLookedAt(inventory.KindDir, root.dir, "in part; "+tooMuch.Error())
		}
	}
}

// leaveOut reports whether a directory is a mount, goes, or is one that is not searched.
func (f *search) leaveOut(dir string) bool {
	return f.mounted[dir] || slices.Contains(f.skip, dir) || ownTool(dir) && f.rootOwned(dir) || f.t.Memory.Going(dir)
}

// rootOwned reports whether something is root's.
func (f *search) rootOwned(path string) bool {
	info, err := f.t.Lstat(path)
	if err != nil {
		return false
	}
	stat, is := info.Sys().(*syscall.Stat_t)
	return is && stat.Uid == 0
}

// file looks into one file.
func (f *search) file(at string, d fs.DirEntry, all bool) error {
	if f.mounted[at] || f.t.Memory.Going(at) { // of a mount it is not even asked what it is: it may be another machine's
		return nil
	}
	info, err := d.Info()
	f.pass(inventory.KindFile, at, err)
	if err != nil || info.Size() == 0 || f.seen[at] || filepath.Dir(at) == inventory.KubernetesDir || filepath.Dir(at) == f.kubernetes {
		return nil
	}
	stat, is := info.Sys().(*syscall.Stat_t)
	if is && !all && !f.joined.IsZero() && time.Unix(stat.Ctim.Unix()).Before(f.joined.Add(-beforehand)) {
		return nil
	}
	if f.read > mostRead || len(f.found) >= mostNamed {
		return tooMuch
	}
	f.seen[at] = true // two roots may lead there
	if how := f.refers(at, info.Size()); how != "" {
		why := "a file of this host's, which no pod network is known to write"
		f.found = append(f.found, inventory.Item{
			Kind: inventory.KindFile, Name: at, Owner: inventory.Foreign, Fate: inventory.Stays, Why: why, Refers: how, Digest: f.t.Digest(at),
		})
	}
	return nil
}

// refers says how a file of some size refers to the cluster, or may; empty if it does not.
func (f *search) refers(at string, size int64) string {
	raw, err := f.t.ReadHead(at, mostOfBinary)
	if err == nil && size > mostOfBinary && !bytes.Contains(raw, []byte{0}) {
		f.read += int64(len(raw))
		raw, err = f.t.ReadHead(at, mostOfSearched)
	}
	f.read += int64(len(raw))
	leads := size > mostOfSearched && leadsSomewhere(raw)
	if leads && err == nil {
		f.read += min(size, mostOfLeading) - mostOfSearched
		raw, err = f.t.ReadHead(at, mostOfLeading)
	}
	how := cmp.Or(f.id.Refer(raw, f.t.Facts.Node, f.joined).String(), part.Unread(err))
	if how == "" && size > mostOfLeading && leads {
		how = part.Unread(host.ErrTooLarge)
	}
	return how
}

// unsearched are directories that hold what containers and packages brought, or the data of
// databases, and the links and sockets of the system. They are said in docs/removal.md.
func (t Traces) unsearched() []string {
	out := []string{
		"/var/lib/containerd", "/var/lib/docker", "/var/lib/containers", "/var/lib/crio",
		"/var/lib/dpkg", "/var/lib/rpm", "/var/lib/apt", "/var/lib/dnf", "/var/lib/snapd", "/var/lib/flatpak", "/var/lib/mlocate",
		"/var/lib/plocate",
		"/var/lib/systemd", "/var/lib/libvirt", "/var/lib/mysql", "/var/lib/postgresql", "/run/containerd", "/run/docker",
		"/run/crio", "/run/netns", "/run/udev", "/run/credentials", "/etc/alternatives", "/etc/selinux",
	}
	if t.StateDir != "" {
		out = append(out, t.StateDir)
	}
	return out
}
