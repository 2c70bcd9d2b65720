// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// putBack gives a file that a network has put aside its own name back, unless
// something has that name by now.
func (t Disk) putBack(from, to string) error {
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
func (t Disk) lookOverrides(s *part.Findings) {
	for _, o := range ownership.Overrides() {
		raw, err := host.ReadPlain(t.Host.Path(o.Path), part.MostOfFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil && o.Wrote(raw):
			s.Add(inventory.Item{Kind: inventory.KindFile, Name: o.Path, Owner: o.Owner, Fate: inventory.Goes})
		default:
			why := "named as " + string(o.Owner) + " names its own, with something else in it"
			s.Add(inventory.Item{
				Kind: inventory.KindFile, Name: o.Path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: why, Refers: why,
				Digest: t.Digest(o.Path),
			})
		}
	}
}

// lookConf lists the configurations of networks.
func (t Disk) lookConf(s *part.Findings) error {
	all, err := cni.Networks{Host: t.Host}.Confs()
	for _, d := range all {
		s.Add(d.Item)
	}
	for _, conf := range t.Places().ConfDirs {
		names, err2 := t.Names(conf)
		err = errors.Join(err, err2)
		for _, name := range names {
			if dir := filepath.Join(conf, name); t.IsDir(dir) {
				t.AddHollow(s, inventory.OwnPath{Owner: inventory.PodNetwork, Path: dir})
			}
		}
	}
	return err
}

// lookCNIState looks at the standard plugins' state, which other users of CNI
// on this host share: only networks of pods are ours.
func (t Disk) lookCNIState(s *part.Findings) error {
	own := cni.Networks{Host: t.Host}.OwnNetworks()
	networks, err := t.Names(inventory.CNIStateDir + "/networks")
	for _, name := range networks {
		path := filepath.Join(inventory.CNIStateDir, "networks", name)
		if slices.Contains(own, name) {
			t.AddPath(s, inventory.OwnPath{Owner: inventory.CNIPlugins, Path: path})
			continue
		}
		s.Add(inventory.Item{Kind: inventory.KindDir, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "not a pod network's"})
	}
	results, err2 := t.Names(inventory.CNIStateDir + "/results")
	for _, name := range results {
		if slices.ContainsFunc(append(own, "cni-loopback"), func(network string) bool { return strings.HasPrefix(name, network+"-") }) {
			t.AddPath(s, inventory.OwnPath{Owner: inventory.CNIPlugins, Path: filepath.Join(inventory.CNIStateDir, "results", name)})
		} else {
			s.Add(inventory.Item{
				Kind: inventory.KindFile, Name: filepath.Join(inventory.CNIStateDir, "results", name), Owner: inventory.Foreign,
				Fate: inventory.Stays, Why: "not a pod network's",
			})
		}
	}
	t.AddPath(s, inventory.OwnPath{Owner: inventory.Flannel, Path: inventory.CNIStateDir + "/flannel"})
	return errors.Join(err, err2)
}
