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
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// confs reads the runtime's directories of CNI configurations, and the directories
// directly in them, and says what becomes of each file.
func (t Target) confs() ([]confDecision, error) {
	var files []confFile
	var errs []error
	id := t.identity()
	for _, dir := range t.places().ConfDirs {
		names, err := t.names(dir)
		errs = append(errs, err)
		for _, name := range names {
			path := filepath.Join(dir, name)
			if !t.isDir(path) {
				files = append(files, t.confFile(path, id))
				continue
			}
			inside, err := t.names(path)
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
func (t Target) confFile(path string, id identity) confFile {
	raw, err := host.ReadPlain(t.Host.Path(path), mostOfConf)
	return confFile{path: path, raw: raw, unread: unread(err), refers: id.refer(raw, t.Facts.Node, t.Facts.Joined), younger: t.younger(path), changed: t.changed(path), digest: t.digest(path)}
}

// changed reports whether a file was renamed or written since the join.
func (t Target) changed(path string) bool {
	var stat unix.Stat_t
	err := unix.Lstat(t.Host.Path(path), &stat)
	return err == nil && !t.Facts.Joined.IsZero() && time.Unix(stat.Ctim.Unix()).After(t.Facts.Joined)
}

// isDir reports whether a path is a directory, and no link to one.
func (t Target) isDir(path string) bool {
	info, err := os.Lstat(t.Host.Path(path))
	return err == nil && info.IsDir()
}

// ownNetworks are the names of the pods' CNI networks: those that networks give
// theirs, and those of configurations that go.
func (t Target) ownNetworks() []string {
	out := ownNetworkNames()
	all, _ := t.confs()
	for _, d := range all {
		if d.Fate == Goes && d.sign != "" && d.conf.name != "" {
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
func (t Target) lookOverrides(s *sight) {
	for _, o := range overrides() {
		raw, err := host.ReadPlain(t.Host.Path(o.path), mostOfConf)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil && o.wrote(raw):
			s.add(Item{Kind: KindFile, Name: o.path, Owner: o.owner, Fate: Goes})
		default:
			why := "named as " + string(o.owner) + " names its own, with something else in it"
			s.add(Item{Kind: KindFile, Name: o.path, Owner: Foreign, Fate: Stays, Why: why, Refers: why, Digest: t.digest(o.path)})
		}
	}
}

// lookConf lists the configurations of networks.
func (t Target) lookConf(s *sight) error {
	all, err := t.confs()
	for _, d := range all {
		s.add(d.Item)
	}
	for _, conf := range t.places().ConfDirs {
		names, err2 := t.names(conf)
		err = errors.Join(err, err2)
		for _, name := range names {
			if dir := filepath.Join(conf, name); t.isDir(dir) {
				t.addHollow(s, ownPath{PodNetwork, dir})
			}
		}
	}
	return err
}

// lookCNIState looks at the standard plugins' state, which other users of CNI
// on this host share: only networks of pods are ours.
func (t Target) lookCNIState(s *sight) error {
	own := t.ownNetworks()
	networks, err := t.names(cniStateDir + "/networks")
	for _, name := range networks {
		path := filepath.Join(cniStateDir, "networks", name)
		if slices.Contains(own, name) {
			t.addPath(s, ownPath{CNIPlugins, path})
			continue
		}
		s.add(Item{Kind: KindDir, Name: path, Owner: Foreign, Fate: Stays, Why: "not a pod network's"})
	}
	results, err2 := t.names(cniStateDir + "/results")
	for _, name := range results {
		if slices.ContainsFunc(append(own, "cni-loopback"), func(network string) bool { return strings.HasPrefix(name, network+"-") }) {
			t.addPath(s, ownPath{CNIPlugins, filepath.Join(cniStateDir, "results", name)})
		} else {
			s.add(Item{Kind: KindFile, Name: filepath.Join(cniStateDir, "results", name), Owner: Foreign, Fate: Stays, Why: "not a pod network's"})
		}
	}
	t.addPath(s, ownPath{Flannel, cniStateDir + "/flannel"})
	return errors.Join(err, err2)
}

// otherNetworks reports whether this host has CNI networks besides the pods'
// (podman, nerdctl), by their configuration or by addresses they gave out.
func (t Target) otherNetworks() bool {
	configs, _ := t.confs()
	own := t.ownNetworks()
	networks, _ := t.names(cniStateDir + "/networks")
	return slices.ContainsFunc(configs, func(d confDecision) bool {
		return (d.Fate != Goes || strings.HasPrefix(d.Detail, returns)) && strings.Contains(d.Name, ".conf") && slices.Contains(t.places().ConfDirs, filepath.Dir(d.Name))
	}) || slices.ContainsFunc(networks, func(name string) bool { return !slices.Contains(own, name) })
}
