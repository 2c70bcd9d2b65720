// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// staysFromKubeadm is something that stays on this host and that kubeadm would delete:
// it empties the directories below, whatever is in them or mounted there, and up to 1.22
// those of CNI and of its own runtime state, too (cmd/kubeadm/app/cmd/phases/reset/
// cleanupnode.go). What goes of those has gone by now: all that is in them stays.
func (t Control) staysFromKubeadm(ctx context.Context) (string, error) {
	mounts, err := t.Mounts()
	if err != nil {
		return "", err
	}
	s, err := t.LookCredentials(ctx)
	if err != nil {
		return "", err
	}
	goes := func(path string) bool {
		return slices.ContainsFunc(s.Goes(), func(it inventory.Item) bool { return it.Name == path })
	}
	for _, dir := range []string{t.KubeadmDir(), inventory.ManifestsDir, inventory.PKIDir} {
		for _, m := range mounts {
			if host.Below(m.Path, dir) || m.Path == dir && dir != t.KubeadmDir() {
				return "the mount " + m.Path, nil
			}
		}
		names, err := t.Names(dir)
		if err != nil {
			return "", err
		}
		for _, name := range names {
			if path := filepath.Join(dir, name); !goes(path) {
				return path, nil
			}
		}
	}
	for _, dir := range emptiedByOldKubeadm() {
		if kept := t.firstIn(dir, mounts); kept != "" {
			return kept, nil
		}
	}
	return "", nil
}

// emptiedByOldKubeadm are directories that some version of kubeadm empties as a whole.
func emptiedByOldKubeadm() []string {
	return []string{inventory.CNIConfDir, inventory.CNIStateDir, "/var/lib/dockershim", "/run/kubernetes"}
}

// errTooMany says that there is more in a directory than is looked at.
var errTooMany = errors.New("too many to look at")

// firstIn is something in a directory that is more than an empty directory, or the
// directory itself if it cannot be told; empty if there is nothing.
func (t Control) firstIn(dir string, mounts []host.Mount) string {
	const most = 1000
	for _, m := range mounts {
		if host.Below(m.Path, dir) || m.Path == dir {
			return "the mount " + m.Path
		}
	}
	n, kept := 0, ""
	top, err := t.Follow(dir)
	if err != nil {
		return dir
	}
	err = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		n++
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case n > most:
			return errTooMany
		case !d.IsDir():
			kept = filepath.Join(dir, strings.TrimPrefix(path, top))
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return dir
	}
	return kept
}
