// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers itself
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers itself
)

const (
	homepage = "https://github.com/kubectl-lifecycle/kubectl-lifecycle"
	// short is what krew shows in a line: 50 characters at most.
	short = "Join, drain and remove nodes, hosts left clean"
	long  = `Takes a kubeadm node through its whole life with nothing but a kubeconfig:
gives the cluster a network, makes the join command and follows the host,
drains, lists what Kubernetes has on a host, and removes a node so that its
host is as it was before it joined. No SSH, no agent, no image to pull.
`
)

// writePackage makes a package for a Linux distribution. The completer that kubectl asks
// is in it, as a link to the plugin.
func (r *release) writePackage(p platform, built, format string) error {
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: plugin, Platform: p.os, Arch: p.arch, Version: strings.TrimPrefix(r.version, "v"), Section: "admin", Priority: "optional",
		Maintainer: "The kubectl-lifecycle authors <maintainers@kubectl-lifecycle.invalid>", Vendor: "The kubectl-lifecycle authors",
		Description: "kubectl plugin: " + short + "\n" + strings.TrimSpace(long), Homepage: homepage, License: "Apache-2.0", MTime: r.at,
		Overridables: nfpm.Overridables{
			Contents: files.Contents{
				r.installed(built, "/usr/bin/"+plugin, 0o755),
				{Type: files.TypeSymlink, Source: plugin, Destination: "/usr/bin/kubectl_complete-lifecycle", FileInfo: r.owned(0o777)},
				r.installed(filepath.Join(r.source, "LICENSE"), "/usr/share/doc/"+plugin+"/copyright", 0o644),
				r.installed(filepath.Join(r.source, "README.md"), "/usr/share/doc/"+plugin+"/README.md", 0o644),
			},
			// kubectl has many names in distributions, and is often no package at all.
			Suggests: []string{"kubectl"},
			RPM:      nfpm.RPM{Summary: "kubectl plugin: " + short, BuildHost: "localhost", Group: "Applications/System"},
		},
	})
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	return r.create(nameOf(p, "."+format), func(f *os.File) error { return packager.Package(info, f) })
}

// installed is a file of a package.
func (r *release) installed(from, to string, mode os.FileMode) *files.Content {
	return &files.Content{Source: from, Destination: to, FileInfo: r.owned(mode)}
}

func (r *release) owned(mode os.FileMode) *files.ContentFileInfo {
	return &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: r.at}
}
