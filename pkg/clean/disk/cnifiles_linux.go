// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

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
	err := giveName(renameNew, t.Path(from), t.Path(to))
	if err == nil {
		err = host.SyncDir(filepath.Dir(t.Path(to)))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("give %s its name back: %w", to, err)
	}
	return nil
}

// renameNew renames a file if its new name is free.
func renameNew(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}

// giveName renames a file if the name is free, by a second link to it where there is no
// such renaming: some file systems (NFS, FUSE) and kernels know none. One that is gone
// has its name already.
func giveName(rename func(from, to string) error, from, to string) error {
	err := rename(from, to)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		if err = os.Link(from, to); err == nil {
			err = os.Remove(from)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// lookOverrides looks at the files that networks and the kubelet write into directories of
// the host's: theirs by name and by what is in them. On a host that stays a node the
// kubelet's is in use.
func (t Disk) lookOverrides(s *part.Findings) {
	for _, o := range ownership.Overrides() {
		if o.Owner == inventory.Kubelet && t.Scope.Limited() {
			continue
		}
		raw, err := t.ReadPlain(o.Path, part.MostOfFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case o.Since && !t.Younger(o.Path):
			t.AddForeign(s, o.Path, "nothing shows that a kubelet of this cluster's wrote it")
			t.doubt(s)
		case err == nil && o.Wrote(raw):
			s.Add(inventory.Item{Kind: inventory.KindFile, Name: o.Path, Owner: o.Owner, Fate: inventory.Goes})
			if o.Since { // the kubelet makes the directory, too
				t.AddHollow(s, inventory.OwnPath{Owner: o.Owner, Path: filepath.Dir(o.Path)})
			}
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
			if dir := filepath.Join(conf, name); t.AtHome(dir) && t.IsDir(dir) {
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
		if slices.Contains(own, name) { // programs beside a cluster use such names, too (cbr0)
			t.addWhole(s, inventory.OwnPath{Owner: inventory.CNIPlugins, Path: path})
			continue
		}
		s.Add(inventory.Item{Kind: inventory.KindDir, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "not a pod network's"})
	}
	results, err2 := cni.Networks{Host: t.Host}.Results()
	for _, r := range results {
		if path := filepath.Join(inventory.CNIStateDir, "results", r.Name); r.Pods {
			t.AddPath(s, inventory.OwnPath{Owner: inventory.CNIPlugins, Path: path})
		} else {
			s.Add(inventory.Item{Kind: inventory.KindFile, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "not a pod network's"})
		}
	}
	// The plugin's own directory for all who call it: Nomad and nerdctl do, too.
	t.addWhole(s, inventory.OwnPath{Owner: inventory.Flannel, Path: inventory.CNIStateDir + "/flannel"})
	return errors.Join(err, err2)
}
