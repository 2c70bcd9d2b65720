// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// secretDirs are the directories beside the kubelet's root of which all that is in them
// goes, as a rule, or much of it.
func (t Disk) secretDirs() []string {
	return []string{inventory.KubernetesDir, filepath.Join(t.KubeadmDir(), "pki"), t.Resolve(t.Places().CertDir)}
}

// sharedDirs are those in which only what a network has put there goes.
func (t Disk) sharedDirs() []string {
	return slices.Concat([]string{inventory.CNIStateDir, filepath.Dir(inventory.PluginDir)}, t.Places().ConfDirs, t.Places().BinDirs)
}

// inOneOf reports whether a path is one of some directories, or below one.
func inOneOf(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return path == dir || host.Below(path, dir) })
}

// mountsBeside returns an error if something is mounted where a removal deletes beside
// the kubelet's root: at something that goes or in it, or so that it lies on a mount
// that shows another directory of this host, or of another machine. A disk of its own
// is none: an administrator has given it to the directory.
func (t Disk) mountsBeside(ctx context.Context) error {
	mounts, err := t.Mounts()
	if err != nil {
		return err
	}
	secret, ours := t.secretDirs(), t.Ours(mounts)
	dirs := slices.Concat(secret, t.sharedDirs())
	staying := slices.DeleteFunc(slices.Clone(mounts), ours)
	given := slices.DeleteFunc(slices.Clone(staying), func(m host.Mount) bool { return !inOneOf(m.Path, dirs) })
	// Before anything is looked at there: that may hang.
	whole := slices.Concat(secret, []string{inventory.CNIStateDir}, t.Places().ConfDirs)
	remote := slices.IndexFunc(given, func(m host.Mount) bool {
		return !t.AtHome(m.Path) &&
			(inOneOf(m.Path, []string{inventory.PKIDir, inventory.ManifestsDir}) || slices.Contains(whole, m.Path))
	})
	switch {
	case remote >= 0:
		return refuseMount(given[remote])
	case len(given) == 0:
		return nil
	}
	goes, err := t.filesThatGo(ctx)
	if err != nil {
		return err
	}
	// What plugins keep of networks goes by its age, one by one, where something older is beside it.
	only := func(m host.Mount) bool { return inOneOf(m.Path, secret) || host.Below(m.Path, inventory.CNIStateDir) }
	for _, it := range goes {
		path := filepath.Join(t.Resolve(filepath.Dir(it.Name)), filepath.Base(it.Name))
		at := slices.IndexFunc(given, func(m host.Mount) bool {
			return it.Manner != inventory.IfEmpty && inOneOf(m.Path, []string{path}) || host.Below(path, m.Path) && only(m) && !m.Alone(staying)
		})
		if at >= 0 {
			return refuseMount(given[at])
		}
	}
	return nil
}

// refuseMount is the refusal of a host on which a removal would delete through a mount.
func refuseMount(m host.Mount) error {
	return plan.Refuse(
		fmt.Errorf("%s is a mount of an administrator's (%s, %s from %s%s), and nothing is deleted through one",
			m.Path, m.Class(), m.FSType, m.Source, BoundAt(m)),
		"what is in it stays if it is not mounted: drain the node, unmount it and take it out of /etc/fstab or its mount unit; "+
			"then run the command again")
}

// filesThatGo are the files and directories that a removal would delete.
func (t Disk) filesThatGo(ctx context.Context) ([]inventory.Item, error) {
	var goes []inventory.Item
	var errs []error
	for _, look := range []func(context.Context) (part.Findings, error){t.lookFiles, t.Credentials} {
		s, err := look(ctx)
		goes, errs = append(goes, s.Goes()...), append(errs, err)
	}
	return goes, errors.Join(errs...)
}

// usersInTheWay returns an error if a process of this host's own, which no removal ends, uses what
// is mounted for pods: the work would stop at that mount, once the pods have gone.
func (t Disk) usersInTheWay() error {
	mounts, err := t.Mounts()
	if err != nil || t.Scope.Limited() {
		return err
	}
	ours := t.Ours(mounts)
	var paths []string
	for _, m := range mounts {
		if ours(m) && !host.Below(m.Path, inventory.NetnsDir) {
			paths = append(paths, m.Path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	users, more := t.Users(outermost(paths), "kubelet.service", "containerd.service", "crio.service", "docker.service", "cri-docker.service")
	if len(users) == 0 {
		return nil
	}
	const most = 5
	var names []string
	for _, u := range users[:min(len(users), most)] {
		names = append(names, u.String())
	}
	if more || len(users) > most {
		names = append(names, "and perhaps others")
	}
	return plan.Refuse(fmt.Errorf("what is mounted here for pods is in use by programs of this host: %s", strings.Join(names, ", ")),
		"end them, or take them out of these directories; then run the command again")
}

// outermost are the paths of a list that are not below another one of it.
func outermost(paths []string) []string {
	slices.Sort(paths)
	var out []string
	for _, path := range paths {
		if last := len(out) - 1; last < 0 || path != out[last] && !host.Below(path, out[last]) {
			out = append(out, path)
		}
	}
	return out
}
