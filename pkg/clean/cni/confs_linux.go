// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// Networks are the CNI networks of a host, by their configurations.
type Networks struct{ part.Host }

// Confs reads the runtime's directories of CNI configurations, and the directories
// directly in them, and says what becomes of each file.
func (t Networks) Confs() ([]Decision, error) {
	all, err := t.All()
	if t.Scope.Limited() {
		return scoped(all, t.Scope), err
	}
	return unproven(all, func() bool { return t.Second != nil && t.Second(inventory.Cilium) }), err
}

// All is Confs without the limits of a scope, and by the files alone: whose each is.
func (t Networks) All() ([]Decision, error) {
	return part.Once(t.Host, "configurations of networks", t.confs)
}

func (t Networks) confs() ([]Decision, error) {
	var files []confFile
	var errs []error
	id := t.Cluster()
	for _, dir := range t.Places().ConfDirs {
		names, err := t.Names(dir)
		errs = append(errs, err)
		for _, name := range names {
			path := filepath.Join(dir, name)
			if !t.AtHome(path) {
				files = append(files, away(path))
				continue
			}
			if !t.IsDir(path) {
				files = append(files, t.confFile(path, id))
				continue
			}
			inside, err := t.Names(path)
			errs = append(errs, err)
			for _, name := range inside {
				if inner := filepath.Join(path, name); !t.AtHome(inner) {
					files = append(files, away(inner))
					continue
				}
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

// away is one that is not looked at, since it may never answer.
func away(path string) confFile {
	return confFile{path: path, unread: "not looked at: another machine's file system is mounted there"}
}

// confFile reads one of them.
func (t Networks) confFile(path string, id cluster.Identity) confFile {
	raw, err := t.ReadPlain(path, part.MostOfFile)
	return confFile{path: path, raw: raw, unread: part.Unread(err), refers: id.Refer(raw, t.Facts.Node, t.Facts.Joined),
		younger: t.Younger(path), changed: t.Changed(path), digest: t.Digest(path), leftOut: t.LeftOut(path, raw)}
}

// OwnNetworks are the names of the pods' CNI networks: those that networks give
// theirs, and those of configurations that go.
func (t Networks) OwnNetworks() []string {
	all, _ := t.Confs()
	return t.ownNetworks(all)
}

func (t Networks) ownNetworks(all []Decision) []string {
	known := ownership.NetworkNames()
	out := slices.DeleteFunc(slices.Clone(known), func(name string) bool { return !t.Scope.TakesNetwork(name, known) })
	for _, d := range all {
		if d.Fate == inventory.Goes && d.Sign != "" && d.Conf.name != "" {
			out = append(out, d.Conf.name)
		}
	}
	return out
}

// OtherNetworks reports whether this host has CNI networks besides the pods'
// (podman, nerdctl), by their configuration or by addresses they gave out, or that
// cannot be read.
func (t Networks) OtherNetworks() bool {
	configs, err := t.Confs()
	own := t.ownNetworks(configs)
	networks, err2 := t.Names(inventory.CNIStateDir + "/networks")
	return err != nil || err2 != nil || slices.ContainsFunc(configs, func(d Decision) bool {
		return (d.Fate != inventory.Goes || d.Manner == inventory.PutBack) && strings.Contains(d.Name, ".conf") &&
			slices.Contains(t.Places().ConfDirs, filepath.Dir(d.Name))
	}) || slices.ContainsFunc(networks, func(name string) bool { return !slices.Contains(own, name) })
}
