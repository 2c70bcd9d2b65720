// SPDX-License-Identifier: Apache-2.0

package hostpaths

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// age is what is known of when a mount was made.
type age int

// The ages. After a reboot all mounts are younger than the join: those of the boot are there
// before any kubelet runs, and none of them is a pod's.
const (
	unknown age = iota
	older       // than the join, or than what the boot starts last
	younger
)

// mounted is a mount, and what decides whether it is named.
type mounted struct {
	host.Mount
	// pod could mount there; empty if none could. all is the directory that it was given, if
	// that is much more than its own.
	pod, all string
	age      age
	// layered says that it is a file system of the container runtime's layers, and dead that
	// the program that serves it is gone.
	layered, dead bool
}

// refers says how a mount that stays refers to the cluster, or may; empty for one that is
// taken for this host's own. A file system of a container is named and not unmounted: a
// program of the host's may work in it (a driver's that was loaded from there), and people
// mount images with the runtime's own tools, which looks the same.
func (m mounted) refers() string {
	if m.age == older || m.pod == "" && !m.layered && (!m.dead || m.age != younger) {
		return ""
	}
	how := "made since the join"
	if m.pod != "" {
		how = who(m.pod, m.all) + " could mount there"
		if m.age == unknown {
			how += ", and nothing tells since when it is there"
		}
	}
	if m.layered {
		how += "; it is a container's file system, and keeps its layers in use"
	}
	if m.dead {
		how += "; the program that serves it is gone, and whatever looks at it fails"
	}
	return strings.TrimPrefix(how, "made since the join; ")
}

// who is a pod, and that it was given all of a directory.
func who(pod, all string) string {
	if all == "" {
		return "pod " + pod
	}
	return "pod " + pod + ", which was given all of " + all + ","
}

// candidate reports whether a mount may be a pod's at all, wherever it is: not the kernel's
// and the boot's own, and not where the runtimes of this host and its users' sessions mount.
func candidate(m host.Mount) bool {
	kernels := []string{"/proc", "/sys", "/dev", "/run/user", "/run/credentials", "/run/systemd", inventory.NetnsDir}
	runtimes := []string{"/run/containerd", "/run/docker", "/run/crio", "/run/containers", "/run/k3s", "/var/lib/docker",
		"/var/lib/containers", "/var/lib/buildkit", "/var/lib/nerdctl", "/var/lib/containerd", "/run/snapd", "/var/lib/snapd", "/snap"}
	in := func(dir string) bool { return part.Within(m.Path, dir) }
	return m.Path != "/" && (m.FSType != "autofs" || deserted(m)) && !slices.ContainsFunc(slices.Concat(kernels, runtimes), in) &&
		!volume().MatchString(m.Path+"/") && !volume().MatchString(m.Root+"/")
}

// deserted reports whether the program that mounts what is asked for at a path is gone: the
// kernel has closed its pipe. Who looks there ends by a signal, or waits. The others are
// systemd's and those of this host's own automounter.
func deserted(m host.Mount) bool {
	fd := ""
	for option := range strings.SplitSeq(m.Options, ",") {
		if value, is := strings.CutPrefix(option, "fd="); is {
			fd = value
		}
	}
	return m.FSType == "autofs" && fd == "-1"
}

// volume fits where a kubelet mounts a pod's volumes, which are looked at by themselves.
func volume() *regexp.Regexp {
	return regexp.MustCompile(`/pods/[0-9a-f]{8}-[0-9a-f-]{27}/(volumes|volume-subpaths|volumeDevices)/|/kubernetes\.io~[a-z-]+/`)
}

// layered reports whether an overlay is made of layers in a runtime's directory.
func layered(m host.Mount, runtimeRoot string) bool {
	if m.FSType != "overlay" {
		return false
	}
	roots := []string{"/var/lib/containerd", "/var/lib/containers", "/var/lib/docker"}
	if runtimeRoot != "" {
		roots = append(roots, runtimeRoot)
	}
	for option := range strings.SplitSeq(m.Options, ",") {
		key, dirs, _ := strings.Cut(option, "=")
		if !slices.Contains([]string{"lowerdir", "upperdir", "lowerdir+"}, key) {
			continue
		}
		for dir := range strings.SplitSeq(dirs, ":") {
			if slices.ContainsFunc(roots, func(root string) bool { return host.Below(filepath.Clean(dir), root) }) {
				return true
			}
		}
	}
	return false
}
