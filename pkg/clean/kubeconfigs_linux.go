// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// lookKubeconfigs finds the kubeconfigs of people on this host. A copy of
// kubeadm's own, as its last words tell everybody to make one, goes; another
// that leads to this cluster is somebody's and stays.
func (t Target) lookKubeconfigs(s *sight) error {
	ca, err := host.ReadPlain(t.Host.Path(pkiDir+"/ca.crt"), mostOfFile)
	if err != nil {
		return nil //nolint:nilerr // nothing tells which cluster this was
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
		case err != nil || !leadsTo(raw, ca): // there is none
		case slices.ContainsFunc(own, func(o []byte) bool { return bytes.Equal(o, raw) }):
			s.add(Item{Kind: KindFile, Name: path, Owner: Kubeadm, Fate: Goes, Detail: "a copy of kubeadm's kubeconfig"})
		default:
			s.add(Item{Kind: KindFile, Name: path, Owner: Foreign, Fate: Harmless, Why: "somebody's own kubeconfig that leads to this cluster"})
		}
	}
	return err
}

// leadsTo reports whether a kubeconfig has a cluster with this certificate
// authority.
func leadsTo(kubeconfig, ca []byte) bool {
	for _, found := range regexp.MustCompile(`(?m)^\s*"?certificate-authority-data"?:\s*"?([A-Za-z0-9+/=]+)`).FindAllSubmatch(kubeconfig, -1) {
		raw, err := base64.StdEncoding.DecodeString(string(found[1]))
		if err == nil && bytes.Equal(bytes.TrimSpace(raw), bytes.TrimSpace(ca)) {
			return true
		}
	}
	return false
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
