// SPDX-License-Identifier: Apache-2.0

package survey

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// mostServers bounds how many name servers are read: the C library takes three.
const mostServers = 16

// resolver is the file that pods would get name servers from: what the kubelet is told on
// this host, what the cluster tells its kubelets, or what kubeadm writes for a host where
// systemd-resolved runs (cmd/kubeadm/app/componentconfigs/kubelet.go, 1.36).
func (r reader) resolver(ctx context.Context) error {
	path, err := r.toldResolver()
	switch {
	case err != nil:
		return err
	case path != "":
	case r.wanted.ResolvConf != nil:
		path = *r.wanted.ResolvConf
	default:
		path = "/etc/resolv.conf"
		if unit, err := r.local.Unit(ctx, "systemd-resolved.service"); err == nil && unit.Running() {
			path = "/run/systemd/resolve/resolv.conf"
		}
	}
	if path == "" {
		return nil // pods get none of the host's
	}
	f, err := r.file(path)
	r.facts.Resolver = prep.Resolver{Path: path, There: f.There}
	for line := range strings.Lines(f.Content) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "nameserver" && len(r.facts.Resolver.Servers) < mostServers {
			r.facts.Resolver.Servers = append(r.facts.Resolver.Servers, words[1])
		}
	}
	return err
}

// toldResolver is what the kubelet's own flags on this host say; empty if nothing.
func (r reader) toldResolver() (path string, err error) {
	told, err := r.told("resolv-conf")
	if told != "" {
		path = filepath.Join("/", told)
	}
	return path, err
}

// told is a flag of the kubelet's on this host; empty if there is none.
func (r reader) told(flag string) (value string, err error) {
	form := regexp.MustCompile("--" + flag + `[= ]["']?([^\s"']+)`)
	const dropIns = "/etc/systemd/system/kubelet.service.d"
	files := []string{"/etc/default/kubelet", "/etc/sysconfig/kubelet"}
	names, err := r.names(dropIns)
	for _, name := range names {
		files = append(files, filepath.Join(dropIns, name))
	}
	for _, file := range files {
		text, unread := r.text(file)
		err = errors.Join(err, unread)
		for line := range strings.Lines(text) {
			if found := form.FindStringSubmatch(line); found != nil && !strings.HasPrefix(strings.TrimSpace(line), "#") {
				value = found[1]
			}
		}
	}
	return value, err
}
