// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// confs reads the runtime's directories of CNI configurations, and the directories
// directly in them, and says what becomes of each file.
func (t Target) confs() ([]confDecision, error) {
	var files []confFile
	var errs []error
	id := t.base().Cluster()
	for _, dir := range t.base().Places().ConfDirs {
		names, err := t.base().Names(dir)
		errs = append(errs, err)
		for _, name := range names {
			path := filepath.Join(dir, name)
			if !t.base().IsDir(path) {
				files = append(files, t.confFile(path, id))
				continue
			}
			inside, err := t.base().Names(path)
			errs = append(errs, err)
			for _, name := range inside {
				file := t.confFile(filepath.Join(path, name), id)
				file.inner = true
				files = append(files, file)
			}
		}
	}
	if len(files) > mostOfConfs {
		return nil, errors.Join(append(errs, fmt.Errorf("more than %d files", mostOfConfs))...)
	}
	return judgeConfs(files), errors.Join(errs...)
}

// confFile reads one of them.
func (t Target) confFile(path string, id cluster.Identity) confFile {
	raw, _ := host.ReadPlain(t.Host.Path(path), part.MostOfFile) // nil: it tells nothing
	return confFile{path: path, raw: raw, refers: id.Refer(raw, t.Facts.Node, t.Facts.Joined), younger: t.base().Younger(path), changed: t.base().Changed(path), digest: t.base().Digest(path)}
}

// ownNetworks are the names of the pods' CNI networks: those that networks give
// theirs, and those of configurations that go.
func (t Target) ownNetworks() []string {
	out := ownership.NetworkNames()
	all, _ := t.confs()
	for _, d := range all {
		if d.Fate == inventory.Goes && d.sign != "" && d.conf.name != "" {
			out = append(out, d.conf.name)
		}
	}
	return out
}

// putBack gives a file that a network has put aside its own name back, unless
// something has that name by now.
func (t Target) putBack(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, t.Host.Path(from), unix.AT_FDCWD, t.Host.Path(to), unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system that cannot (NFS, FUSE)
		if err = os.Link(t.Host.Path(from), t.Host.Path(to)); err == nil {
			err = os.Remove(t.Host.Path(from))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("give %s its name back: %w", to, err)
	}
	return nil
}

// lookOverrides looks at the files that networks write into directories of the
// host's: theirs by name and by what is in them.
func (t Target) lookOverrides(s *part.Findings) {
	for _, o := range ownership.Overrides() {
		raw, err := host.ReadPlain(t.Host.Path(o.Path), part.MostOfFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil && o.Wrote(raw):
			s.Add(inventory.Item{Kind: inventory.KindFile, Name: o.Path, Owner: o.Owner, Fate: inventory.Goes})
		default:
			why := "named as " + string(o.Owner) + " names its own, with something else in it"
			s.Add(inventory.Item{Kind: inventory.KindFile, Name: o.Path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: why, Refers: why, Digest: t.base().Digest(o.Path)})
		}
	}
}

// lookConf lists the configurations of networks.
func (t Target) lookConf(s *part.Findings) error {
	all, err := t.confs()
	for _, d := range all {
		s.Add(d.Item)
	}
	for _, conf := range t.base().Places().ConfDirs {
		names, err2 := t.base().Names(conf)
		err = errors.Join(err, err2)
		for _, name := range names {
			if dir := filepath.Join(conf, name); t.base().IsDir(dir) {
				t.base().AddHollow(s, inventory.OwnPath{Owner: inventory.PodNetwork, Path: dir})
			}
		}
	}
	return err
}

// lookCNIState looks at the standard plugins' state, which other users of CNI
// on this host share: only networks of pods are ours.
func (t Target) lookCNIState(s *part.Findings) error {
	own := t.ownNetworks()
	networks, err := t.base().Names(inventory.CNIStateDir + "/networks")
	for _, name := range networks {
		path := filepath.Join(inventory.CNIStateDir, "networks", name)
		if slices.Contains(own, name) {
			t.base().AddPath(s, inventory.OwnPath{Owner: inventory.CNIPlugins, Path: path})
			continue
		}
		s.Add(inventory.Item{Kind: inventory.KindDir, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "not a pod network's"})
	}
	results, err2 := t.base().Names(inventory.CNIStateDir + "/results")
	for _, name := range results {
		if slices.ContainsFunc(append(own, "cni-loopback"), func(network string) bool { return strings.HasPrefix(name, network+"-") }) {
			t.base().AddPath(s, inventory.OwnPath{Owner: inventory.CNIPlugins, Path: filepath.Join(inventory.CNIStateDir, "results", name)})
		} else {
			s.Add(inventory.Item{Kind: inventory.KindFile, Name: filepath.Join(inventory.CNIStateDir, "results", name), Owner: inventory.Foreign, Fate: inventory.Stays, Why: "not a pod network's"})
		}
	}
	t.base().AddPath(s, inventory.OwnPath{Owner: inventory.Flannel, Path: inventory.CNIStateDir + "/flannel"})
	return errors.Join(err, err2)
}

// otherNetworks reports whether this host has CNI networks besides the pods'
// (podman, nerdctl), by their configuration or by addresses they gave out.
func (t Target) otherNetworks() bool {
	configs, _ := t.confs()
	own := t.ownNetworks()
	networks, _ := t.base().Names(inventory.CNIStateDir + "/networks")
	return slices.ContainsFunc(configs, func(d confDecision) bool {
		return (d.Fate != inventory.Goes || strings.HasPrefix(d.Detail, inventory.Returns)) && strings.Contains(d.Name, ".conf") && slices.Contains(t.base().Places().ConfDirs, filepath.Dir(d.Name))
	}) || slices.ContainsFunc(networks, func(name string) bool { return !slices.Contains(own, name) })
}
