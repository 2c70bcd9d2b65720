// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"context"
	"fmt"
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
		return s, nil
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
	return t.Older(path) || t.Undated() && !host.Below(path, "/run")
}

func (t Disk) there(path string) bool {
	is, err := t.Exists(path)
	return is && err == nil
}

// lookWhole looks for the paths that go with everything in them. In a directory that is
// older than the join only what was made since goes: another program's, or an earlier
// cluster's, is not known to be of this one, also where it is written to.
func (t Disk) lookWhole(s *part.Findings) {
	for _, p := range inventory.WholePaths() {
		switch {
		case t.addLink(s, p):
		case t.IsDir(p.Path) && t.perhapsOlder(p.Path):
			s.Missed(inventory.KindDir, p.Path, t.lookOlder(s, p))
		case t.perhapsOlder(p.Path) && t.there(p.Path):
			t.addOlder(s, p.Path, "called as "+string(p.Owner)+" calls its own")
		default:
			t.AddPath(s, p)
		}
	}
}

// lookOlder lists what is in a directory that goes whole and is older than the join.
func (t Disk) lookOlder(s *part.Findings, p inventory.OwnPath) error {
	entries, more, err := t.Some(p.Path, mostLogs)
	if more {
		err = fmt.Errorf("it has more than %d entries", mostLogs)
	}
	for _, e := range entries {
		path := filepath.Join(p.Path, e.Name())
		if isLogOf(p.Path, e) || !t.perhapsOlder(path) {
			t.AddPath(s, inventory.OwnPath{Owner: p.Owner, Path: path})
			continue
		}
		t.addOlder(s, path, "in a directory of "+string(p.Owner)+"'s")
	}
	return err
}

// addOlder adds what is, or may be, older than the join and stays. Where it, or something
// in it, has changed since, that may be the cluster's: the verdict is not clean.
func (t Disk) addOlder(s *part.Findings, path, why string) {
	t.AddForeign(s, path, why)
	last := &s.Items[len(s.Items)-1]
	switch {
	case last.Refers != "":
	case t.Undated():
		last.Why, last.Refers = last.Why+"; its age is unknown", "it may be the cluster's: nothing tells when this host joined"
	case t.Touched(path):
		last.Refers = "something in it has changed since this host joined"
	case !t.IsDir(path) && t.Changed(path):
		last.Refers = "it has changed since this host joined"
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
