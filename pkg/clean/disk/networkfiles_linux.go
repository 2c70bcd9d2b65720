// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Configurations are the network's in the runtime's directories: without them no pod
// gets this network any more.
func (t Disk) Configurations() part.Part {
	look := func(context.Context) (part.Findings, error) {
		var s part.Findings
		err := t.lookConf(&s)
		s.Items = t.Scope.Spare(s.Items)
		return s, err
	}
	return t.networkPart("configurations", "Take the network's configurations away from the container runtime", look)
}

// NetworkFiles are the files of a network on a host that stays a node, its configurations
// among them.
func (t Disk) NetworkFiles() part.Part {
	look := func(ctx context.Context) (part.Findings, error) {
		var s part.Findings
		t.lookWhole(&s)
		t.lookNetworks(ctx, &s)
		s.Items = t.Scope.Spare(slices.DeleteFunc(s.Items, func(it inventory.Item) bool { return !t.ofNetworks(it.Owner) }))
		return s, t.nameRemade(&s)
	}
	return t.networkPart("files", "", look)
}

func (t Disk) networkPart(id, title string, look func(context.Context) (part.Findings, error)) part.Part {
	return part.Part{
		ID: id, Title: title, Kind: inventory.KindFile, Look: look,
		Take: func(ctx context.Context, report plan.Report) error { return t.removeFiles(ctx, look, report) },
	}
}

// ofNetworks leaves the kubelet's and kubeadm's own files out: nothing is asked of them.
func (t Disk) ofNetworks(owner inventory.Owner) bool {
	return !slices.Contains([]inventory.Owner{inventory.Kubelet, inventory.Kubeadm}, owner)
}

// perhapsOlder reports whether something is older than the join, or may be since nothing
// tells when that was. What is in memory is no older than the last boot, and nothing of
// value to anyone.
func (t Disk) perhapsOlder(path string) bool {
	return t.Older(path) || t.Undated() && !ownership.InMemory(path)
}

func (t Disk) there(path string) bool {
	is, err := t.Exists(path)
	return is && err == nil
}

// lookWhole looks for the paths that go with everything in them.
func (t Disk) lookWhole(s *part.Findings) {
	for _, p := range inventory.WholePaths() {
		if !t.addLink(s, p) {
			t.addWhole(s, p)
		}
	}
}

// addWhole adds a path that goes with everything in it. Of a directory that is older than the
// join, or has something in it that is (moved there, or written to since on a file system
// that keeps no births), only what was made since goes: another program's, or an earlier
// cluster's, is not known to be of this one, also where it is written to.
func (t Disk) addWhole(s *part.Findings, p inventory.OwnPath) {
	switch {
	case t.hostsOwn(p):
		t.AddForeign(s, p.Path, ofHostAgent)
		s.Items[len(s.Items)-1].Refers = ofHostAgent
	case t.IsDir(p.Path) && (t.perhapsOlder(p.Path) || t.holdsOlder(p.Path)):
		left := mostAgedInAll
		t.lookOlder(s, p, 0, &left)
	case t.perhapsOlder(p.Path) && t.there(p.Path):
		t.addOlder(s, p.Path, "called as "+string(p.Owner)+" calls its own")
	default:
		t.AddPath(s, p)
	}
}

// ofHostAgent is why the directory of a network in memory stays.
const ofHostAgent = "the network's agent runs on this host itself, and nothing else here shows that the pods had it, too"

// hostsOwn reports whether a directory in memory is that of a network which is only known to
// run on this host itself.
func (t Disk) hostsOwn(p inventory.OwnPath) bool {
	return ownership.InMemory(p.Path) && t.there(p.Path) && !t.Older(p.Path) && t.Scope.Takes(p.Owner) && t.Second != nil && !t.Second(p.Owner)
}

// The bounds of the search for older things in a directory that goes whole: a network's own
// has some hundred entries. Of all that is listed there one by one, more is looked at.
const (
	mostAged      = 4096
	mostAgedInAll = 40 * mostAged
	deepestAged   = 8
)

// holdsOlder reports whether something in a directory is older than the join, or may be: what
// is beyond the bounds is not known to be younger. A kubelet's logs are not asked, nor what is
// mounted there.
func (t Disk) holdsOlder(dir string) bool {
	left := mostAged
	return t.holdsOlderWithin(dir, &left)
}

// holdsOlderWithin is holdsOlder, with what may still be looked at.
func (t Disk) holdsOlderWithin(dir string, left *int) bool {
	if dir == inventory.PodLogsDir || dir == inventory.ContainerLogsDir || t.Undated() {
		return false
	}
	mounts, err := t.Mounts()
	if err != nil {
		return false // then nothing goes
	}
	mounted := map[string]bool{}
	for _, m := range mounts {
		mounted[m.Path] = true
	}
	var within func(dir string, depth int) bool
	within = func(dir string, depth int) bool {
		entries, more, err := t.Some(dir, *left)
		if err != nil {
			return false
		}
		if *left -= len(entries); more || depth == deepestAged && len(entries) > 0 {
			return true
		}
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
			path := filepath.Join(dir, e.Name())
			return !mounted[path] && (t.Older(path) || e.IsDir() && within(path, depth+1))
		})
	}
	return within(dir, 0)
}

// lookOlder lists what is in a directory that goes whole, and is older than the join or has
// something in it that is, or may be. What is deeper, or more, than is looked at stays.
func (t Disk) lookOlder(s *part.Findings, p inventory.OwnPath, depth int, left *int) {
	entries, more, err := t.Some(p.Path, mostLogs)
	s.Missed(inventory.KindDir, p.Path, err)
	if more { // nothing goes of what is not known whole
		s.NotLookedAt(inventory.KindDir, p.Path, fmt.Sprintf("it has more than %d entries", mostLogs))
		t.AddForeign(s, p.Path, "a directory of "+string(p.Owner)+"'s, and not known to be younger than the join")
		return
	}
	log, before := logOf(p.Path), len(s.Items)
	for _, e := range entries {
		path := filepath.Join(p.Path, e.Name())
		budget := min(mostAged, *left)
		was := budget
		switch {
		case log(e.Name(), e.Type()):
			t.AddPath(s, inventory.OwnPath{Owner: p.Owner, Path: path})
		case t.perhapsOlder(path):
			t.addOlder(s, path, "in a directory of "+string(p.Owner)+"'s")
		case e.IsDir() && t.holdsOlderWithin(path, &budget):
			if *left -= was - budget; depth == deepestAged || *left <= 0 {
				s.NotLookedAt(inventory.KindDir, path, "there is too much in it to tell what is older than the join")
				t.AddForeign(s, path, "in a directory of "+string(p.Owner)+"'s, and not known to be younger than the join")
				continue
			}
			t.lookOlder(s, inventory.OwnPath{Owner: p.Owner, Path: path}, depth+1, left)
		default:
			*left -= was - budget
			t.AddPath(s, inventory.OwnPath{Owner: p.Owner, Path: path})
		}
	}
	// All was looked at now, and nothing of it is older: it goes whole.
	stays := slices.ContainsFunc(s.Items[before:], func(it inventory.Item) bool { return it.Fate != inventory.Goes })
	if len(entries) > 0 && !stays && !t.perhapsOlder(p.Path) {
		s.Items = s.Items[:before]
		t.AddPath(s, p)
	}
}

// addOlder adds what is, or may be, older than the join and stays. Where it, or something
// in it, has changed since, that may be the cluster's: the verdict is not clean.
func (t Disk) addOlder(s *part.Findings, path, why string) {
	t.AddForeign(s, path, why)
	last := &s.Items[len(s.Items)-1]
	switch {
	case last.Refers != "":
	case t.Undated():
		last.Why, last.Refers = last.Why+"; its age is unknown", t.Doubt()
	case t.Touched(path):
		last.Refers = "something in it has changed since this host joined"
	case !t.IsDir(path) && t.Changed(path):
		last.Refers = "it has changed since this host joined"
	}
}

// doubt names what was added last, if only its age could tell whose it is and nothing tells that.
func (t Disk) doubt(s *part.Findings) {
	if last := &s.Items[len(s.Items)-1]; last.Refers == "" {
		last.Refers = t.Doubt()
	}
}

// lookNetworks looks at what networks write into directories of the host's.
func (t Disk) lookNetworks(ctx context.Context, s *part.Findings) {
	t.lookOverrides(s)
	s.Missed(inventory.KindFile, inventory.CNIConfDir, t.lookConf(s))
	for _, dir := range t.Places().BinDirs {
		s.Missed(inventory.KindFile, dir, t.lookPlugins(ctx, s, dir))
	}
	s.Missed(inventory.KindFile, inventory.CNIStateDir, t.lookCNIState(s))
}

// networks reports whether a mount is of the network to which a look is limited.
func (t Disk) networks(m host.Mount) bool {
	owner := ownership.Mounts().Owner(t.Places().Usual(m.Path))
	return owner == t.Scope.Network() && t.Scope.Limited() && !host.Below(m.Path, inventory.NetnsDir) && filepath.IsAbs(m.Path)
}
