// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"slices"
	"strings"
)

// Installed asks for the versions of packages that are on the host, and for those whose
// configuration alone is there.
func Installed(names ...string) Command {
	args := []string{"dpkg-query", "--show", "--showformat", `${db:Status-Status} ${Package} ${Version}\n`, "--"}
	return quiet(looks, append(args, names...)...)
}

// States are packages by what a host has of them.
type States struct {
	// Whole are wholly there, Broken were left in the middle; of Configured only the
	// configuration is there, since they were removed without it.
	Whole, Broken, Configured []Package
}

// ReadInstalled reads the answer to Installed.
func ReadInstalled(said string) (s States) {
	for _, found := range matches(said, `^([a-z-]+) (`+namePattern+`) (`+versionPattern+`)$`) {
		p := Package{found[2], found[3]}
		switch found[1] {
		case "installed":
			s.Whole = append(s.Whole, p)
		case "unpacked", "half-configured", "half-installed", "triggers-awaited", "triggers-pending":
			s.Broken = append(s.Broken, p)
		case "config-files":
			s.Configured = append(s.Configured, p)
		}
	}
	return s
}

// There are the packages whose programs are there, wholly or in part.
func (s States) There() []Package { return slices.Concat(s.Whole, s.Broken) }

// Remove takes packages off the host and leaves their configuration, or says what would go.
// What this program holds goes too.
func Remove(simulate bool, names ...string) Command {
	args := []string{"apt-get", "-o", "APT::Get::AutomaticRemove=0", "-o", "Dpkg::Use-Pty=0", "--yes", "--allow-change-held-packages",
		"remove", "--"}
	if simulate {
		args = append([]string{"apt-get", "--simulate"}, args[1:]...)
	}
	return quiet(changes, append(args, names...)...)
}

// Purge takes the configuration of packages off the host that are removed.
func Purge(names ...string) Command {
	return quiet(changes, append([]string{"dpkg", "--purge", "--"}, names...)...)
}

// Conffiles asks for the files of configuration of packages, with their checksums as the
// packages have them.
func Conffiles(names ...string) Command {
	args := []string{"dpkg-query", "--show", "--showformat", `${Package}\n${Conffiles}\n`, "--"}
	return quiet(looks, append(args, names...)...)
}

// Conffile is a file of a package's configuration.
type Conffile struct {
	Package, Path string
	// MD5 is what the package has; empty if it has none that is known.
	MD5 string
}

// ReadConffiles reads the answer to Conffiles.
func ReadConffiles(said string) (all []Conffile) {
	of := ""
	for _, found := range matches(said, `^(?:(`+namePattern+`)| (/.{1,1000}) ([0-9a-z]{11,32})(?: obsolete| remove-on-upgrade)*)$`) {
		switch {
		case found[1] != "":
			of = found[1]
		case of != "" && len(found[3]) == 32:
			all = append(all, Conffile{of, found[2], found[3]})
		case of != "": // "newconffile": it was unpacked and never configured
			all = append(all, Conffile{Package: of, Path: found[2]})
		}
	}
	return all
}

// Endangered says which mount keeps packages from being removed; empty for none. The script of a
// package that is purged may delete all that its programs have kept, as one of an
// administrator would with rm -rf, and does not look whether something is mounted there.
func Endangered(mounts []string) string {
	for _, dir := range []string{"/var/lib/containerd", "/run/containerd", "/var/lib/kubelet", "/var/lib/etcd", "/var/lib/cni", "/etc/cni",
		"/etc/kubernetes", "/opt/cni", "/opt/containerd"} {
		for _, at := range mounts {
			if at == dir || strings.HasPrefix(at, dir+"/") {
				return at
			}
		}
	}
	return ""
}

// RepositoryFile reports whether a file is one that names this program's repository, or holds
// its key.
func RepositoryFile(path string) bool {
	return slices.ContainsFunc([]Tool{Apt, Dnf, Zypper}, func(t Tool) bool {
		s := SourceOf(t, Order{})
		return path == s.KeyFile || path == s.ListFile
	})
}
