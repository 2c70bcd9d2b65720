// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

// suite is the Debian release of both root file systems: it has containerd's
// and kubelet's needs in the versions that were tried.
const suite = "bookworm"

// Rootfs is a root file system of Debian packages.
type Rootfs struct {
	Name     string
	Packages []string
}

// NodeRootfs is the userland of a node: what kind's own base image installs,
// runc, and what looking around on a node takes.
func NodeRootfs() Rootfs {
	return Rootfs{Name: "node", Packages: []string{
		"systemd", "systemd-sysv", "dbus",
		"iproute2", "iptables", "nftables", "ebtables", "ethtool", "conntrack", "ipset", "socat",
		"kmod", "mount", "util-linux", "procps", "hostname", "e2fsprogs",
		"runc", "libseccomp2", "ca-certificates", "curl", "jq",
	}}
}

// ImageRootfs is the userland below those container images that need more than
// one static program: packet-filter tools of both backends, a shell and curl.
func ImageRootfs() Rootfs {
	return Rootfs{Name: "image", Packages: []string{
		"iptables", "nftables", "iproute2", "conntrack", "ipset", "kmod", "ca-certificates", "curl",
	}}
}

// RootfsTools are the commands that Rootfs needs, and what else a build takes.
func RootfsTools() []sys.Tool {
	return []sys.Tool{
		{Command: "mmdebstrap", Packages: []string{"mmdebstrap", "debian-archive-keyring"}},
		{Command: "gcc", Packages: []string{"gcc", "libc6-dev"}},
	}
}

// RootfsKey names a root file system by what was asked for; Debian's own
// updates come with the next change of it, or with an emptied cache.
func (b *Builder) RootfsKey(r Rootfs) string {
	return Key(append(r.Packages, suite, runtime.GOARCH, strings.Join(excludes(), " "))...)
}

// Rootfs makes the root file system, unless it is cached, and returns its tar.
func (b *Builder) Rootfs(ctx context.Context, r Rootfs) (string, error) {
	dir := filepath.Join(b.Cache, "rootfs", r.Name+"-"+b.RootfsKey(r))
	title := "bootstrapping Debian " + suite + " for the " + r.Name + " root file system"
	err := b.Once(ctx, dir, title, func(ctx context.Context, temp string) error {
		args := []string{"--quiet", "--variant=minbase", "--include=" + strings.Join(r.Packages, ",")}
		for _, exclude := range excludes() {
			args = append(args, "--dpkgopt=path-exclude="+exclude)
		}
		args = append(args, suite, filepath.Join(temp, "rootfs.tar"))
		return sys.Command("mmdebstrap", args...).Run(ctx)
	})
	return filepath.Join(dir, "rootfs.tar"), err
}

// excludes are the paths that no program reads.
func excludes() []string {
	return []string{"/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"}
}
