// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// A kubelet writes a directory a pod. What others have beside them is named, up to a
// bound.
const (
	mostLogs  = 50_000
	mostOther = 16
)

// addLink adds a path that goes whole, if it is a link to a directory instead: that is an
// administrator's, and so is the link. What is behind it is not told from what was
// there, unless it is the kubelet's logs, which have names of their own.
func (t Disk) addLink(s *part.Findings, p inventory.OwnPath) bool {
	if _, err := t.Readlink(p.Path); err != nil {
		return false
	}
	if !t.AtHome(p.Path) { // not looked at: that may hang
		s.NotLookedAt(inventory.KindDir, p.Path, "it leads to another machine's file system")
		return true
	}
	real := t.Resolve(p.Path)
	if !t.IsDir(real) {
		return false
	}
	logs := p.Path == inventory.PodLogsDir || p.Path == inventory.ContainerLogsDir
	t.AddForeign(s, p.Path, "a link that an administrator made")
	if names, err := t.Names(real); !logs && (err != nil || len(names) > 0) {
		s.Items[len(s.Items)-1].Refers = fmt.Sprintf("it leads to %s, which is not empty, and %s keeps its files there", real, p.Owner)
	}
	return true
}

// lookLogs lists what a kubelet has written of its pods' logs where its podLogsDir, or a
// link in the place of the usual directory, leads. Others may keep things there: the
// directory itself stays, and so does what has no name that a kubelet makes.
func (t Disk) lookLogs(s *part.Findings, mounts []host.Mount) {
	seen := []string{}
	for _, d := range []struct{ kind, path string }{
		{inventory.PodLogsDir, inventory.PodLogsDir}, {inventory.ContainerLogsDir, inventory.ContainerLogsDir},
		{inventory.PodLogsDir, t.Places().PodLogs},
	} {
		if !t.AtHome(d.path) {
			s.NotLookedAt(inventory.KindDir, d.path, "another machine's file system is mounted there")
			continue
		}
		usual := filepath.Join(t.Resolve(filepath.Dir(d.kind)), filepath.Base(d.kind))
		real := t.Resolve(d.path)
		if real == usual || host.Below(real, usual) || slices.Contains(seen, real) {
			continue // it goes whole
		}
		seen = append(seen, real)
		shows := func(m host.Mount) bool { return m.Path == real && m.Class() != host.Disk && m.Class() != host.Memory }
		switch at := slices.IndexFunc(mounts, shows); {
		case !t.AtHome(real):
			s.NotLookedAt(inventory.KindDir, real, "another machine's file system is mounted there")
		case at >= 0:
			s.Add(inventory.Item{
				Kind: inventory.KindDir, Name: real, Owner: inventory.Foreign, Fate: inventory.Stays,
				Detail: string(mounts[at].Class()) + BoundAt(mounts[at]), Refers: "the kubelet writes the logs of its pods there",
				Why: "a mount of an administrator's, through which nothing is deleted",
			})
		default:
			s.Missed(inventory.KindDir, real, t.lookLogsIn(s, d.kind, real))
		}
	}
}

// lookLogsIn lists one directory of logs.
func (t Disk) lookLogsIn(s *part.Findings, kind, dir string) error {
	// What is there instead may be a FIFO, which would be waited for.
	f, err := t.Open(dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was read
	entries, err := f.ReadDir(mostLogs)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch len(entries) {
	case 0:
		s.Add(inventory.Item{Kind: inventory.KindDir, Name: dir, Owner: inventory.Kubelet, Fate: inventory.Harmless, Detail: "empty",
			Why: "an administrator named it to the kubelet"})
	case mostLogs:
		return fmt.Errorf("it has %d entries or more", mostLogs)
	}
	other := 0
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case madeBy(kind, e.Name(), e.Type()):
			t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: path})
		case slices.ContainsFunc(s.Items, func(it inventory.Item) bool { return it.Name == path }):
		case other == mostOther:
			s.Add(inventory.Item{Kind: inventory.KindDir, Name: dir, Owner: inventory.Foreign, Fate: inventory.Stays,
				Why: "more in it is nothing that a kubelet makes"})
			other++
		case other < mostOther:
			t.AddForeign(s, path, "nothing that a kubelet makes")
			other++
		}
	}
	return nil
}

// lookVolumePlugins lists the plugins of volumes that the kubelet was given: Calico's
// driver of its agent's socket, which comes with its agent, goes if it is younger than the
// join; the others stay.
func (t Disk) lookVolumePlugins(s *part.Findings) {
	dirs := []string{inventory.VolumePluginDir, t.Places().VolumePlugins}
	for _, dir := range slices.Compact(dirs) {
		if !t.AtHome(dir) {
			continue // not looked at: that may hang, and an administrator has put it there
		}
		names, err := t.Names(dir)
		s.Missed(inventory.KindDir, dir, err)
		for _, name := range names[:min(len(names), mostLogs)] {
			path := filepath.Join(dir, name)
			if name == "nodeagent~uds" && t.IsDir(path) && t.Younger(path) {
				t.AddPath(s, inventory.OwnPath{Owner: inventory.Calico, Path: path})
				continue
			}
			t.AddForeign(s, path, "a plugin of the kubelet's, which was given to it")
		}
		t.AddHollow(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: dir}) // the kubelet makes it
	}
}
