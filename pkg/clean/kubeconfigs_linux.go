// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// lookKubeconfigs finds the kubeconfigs of people on this host. A copy of
// kubeadm's own, as its last words tell everybody to make one, goes; another
// that leads to this cluster is somebody's and stays.
func (t Target) lookKubeconfigs(s *sight) error {
	id := t.identity()
	if len(id.Authorities) == 0 {
		return nil // nothing tells which cluster this was
	}
	var own [][]byte
	for _, name := range []string{"admin.conf", "super-admin.conf"} {
		if raw, err := host.ReadPlain(t.Host.Path(filepath.Join(kubernetesDir, name)), mostOfFile); err == nil {
			own = append(own, raw)
		}
	}
	homes, err := t.homes()
	for _, home := range homes {
		path := filepath.Join(home, ".kube/config")
		raw, err := host.ReadPlain(t.Host.Path(path), mostOfFile)
		switch {
		case err != nil || !id.refer(raw, t.Facts.Node, t.Facts.Joined).authority: // there is none
		case slices.ContainsFunc(own, func(o []byte) bool { return bytes.Equal(o, raw) }):
			s.add(Item{Kind: KindFile, Name: path, Owner: Kubeadm, Fate: Goes, Detail: "a copy of kubeadm's kubeconfig"})
		default:
			refers := id.refer(raw, t.Facts.Node, t.Facts.Joined).String()
			s.add(Item{Kind: KindFile, Name: path, Owner: Foreign, Fate: Stays, Why: "a person's own kubeconfig that leads to this cluster", Refers: refers})
		}
	}
	return err
}

// homes are the home directories of this host's users, sorted. Those on file
// systems of other machines, or that appear when one looks, are left out: to
// look at them may hang, and they are not this host's.
func (t Target) homes() ([]string, error) {
	raw, err := host.ReadPlain(t.Host.Path("/etc/passwd"), mostOfFile)
	if os.IsNotExist(err) {
		return nil, nil
	}
	mounts, err2 := t.Host.Mounts()
	if err != nil || err2 != nil {
		return nil, errors.Join(err, err2)
	}
	var out []string
	for line := range strings.Lines(string(raw)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 6 || !filepath.IsAbs(fields[5]) || fields[5] == "/" {
			continue
		}
		if home := filepath.Clean(fields[5]); !slices.Contains(out, home) && atHome(home, mounts) {
			out = append(out, home)
		}
	}
	slices.Sort(out)
	return out, nil
}

// atHome reports whether a directory is on a file system of this host's.
func atHome(dir string, mounts []host.Mount) bool {
	on := host.Mount{Path: "/"}
	for _, m := range mounts {
		if (dir == m.Path || host.Below(dir, m.Path)) && len(m.Path) >= len(on.Path) {
			on = m
		}
	}
	return on.Path == "/" || on.Class() != host.Remote && on.FSType != "autofs"
}
