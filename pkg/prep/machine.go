// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"fmt"
	"slices"
	"strings"
)

// The room that a kubelet and its images need. The kubelet evicts pods below a tenth
// of the file system, images of a small node have some gigabytes.
const (
	leastFree   = 5 << 30
	leastInodes = 20 // of a hundred
)

func diskSpace(f Facts, _ Wanted) (all []Finding) {
	for _, d := range f.Disks {
		switch {
		case d.Free < leastFree:
			all = append(all, Finding{Severity: Warns, Text: fmt.Sprintf("%s has %.1f GiB left; the kubelet soon evicts pods there", d.Path,
				float64(d.Free)/(1<<30)), WayOut: "make room, or mount a larger file system there"})
		case d.Inodes > 0 && d.FreeInodes*100/d.Inodes < leastInodes:
			all = append(all, Finding{Severity: Warns, Text: fmt.Sprintf("%s has %d%% of its inodes left", d.Path, d.FreeInodes*100/d.Inodes),
				WayOut: "find what makes so many files there (du --inodes -d2 " + d.Path + ")"})
		}
	}
	return all
}

func earlierCluster(f Facts, w Wanted) []Finding {
	if w.Joined || len(f.Traces) == 0 {
		return nil
	}
	return []Finding{{Severity: Blocks, Text: "the host is, or was, a node of a cluster: " + strings.Join(f.Traces, ", "),
		WayOut: "remove it from that cluster first (kubectl lifecycle remove NODE); where the cluster is gone: lifecycle-node clean"}}
}

// ToolsWanted are the programs that the kubelet and kube-proxy call: kubeadm looks for
// losetup, mount and cp; conntrack is kube-proxy's until v1.31.
func ToolsWanted() []string {
	return []string{"conntrack", "ethtool", "iptables", "losetup", "mount", "socat"}
}

// must are the tools without which kubeadm refuses.
func must() []string { return []string{"losetup", "mount"} }

func programs(f Facts, w Wanted) (all []Finding) {
	var lacking []string
	for _, name := range []string{"kubeadm", "kubelet"} {
		if _, there := f.Programs[name]; !there {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		all = append(all, Finding{Severity: Blocks, Text: "not installed: " + strings.Join(lacking, ", "),
			WayOut: "install the packages of " + orWord(w.Kubernetes, "the cluster's version") +
				" from pkgs.k8s.io or your mirror of it; each minor version " +
				"has a repository of its own"})
	}
	var tools []string
	for _, name := range ToolsWanted() {
		if _, there := f.Programs[name]; !there && !slices.Contains(must(), name) {
			tools = append(tools, name)
		} else if !there {
			all = append(all, Finding{Severity: Blocks, Text: "not installed: " + name, WayOut: "install the package that has it (util-linux)"})
		}
	}
	if len(tools) > 0 {
		all = append(all, Finding{Severity: Notes, Text: "not installed: " + strings.Join(tools, ", ") +
			"; some features of the kubelet use them",
			WayOut: "install the distribution's packages of these names"})
	}
	return all
}

// skew: a kubelet may be up to three minors older than the API server, and never newer;
// kubeadm is of the kubelet's minor or one newer, and joins its own minor.
func skew(f Facts, w Wanted) (all []Finding) {
	_, want, known := numbers(strings.TrimPrefix(w.Kubernetes, "v"))
	if !known {
		return nil
	}
	for _, name := range []string{"kubelet", "kubeadm"} {
		_, have, ok := numbers(strings.TrimPrefix(f.Programs[name], "v"))
		if !ok {
			continue
		}
		oldest := want - 3
		if name == "kubeadm" {
			oldest = want - 1
		}
		if have > want || have < oldest {
			all = append(all, Finding{Severity: Blocks,
				Text: fmt.Sprintf("%s is %s, the cluster is %s: it may be %d minor versions older, and not newer",
					name, f.Programs[name], w.Kubernetes, want-oldest),
				WayOut: fmt.Sprintf("install %s of v1.%d: each minor version has a package repository of its own", name, want)})
		}
	}
	return all
}

// holds: an upgrade of the distribution's packages must not upgrade a node.
func holds(f Facts, _ Wanted) []Finding {
	if f.Packages == "" {
		return nil
	}
	var free []string
	for _, name := range []string{"kubeadm", "kubectl", "kubelet"} {
		if _, there := f.Programs[name]; there && !slices.Contains(f.Held, name) {
			free = append(free, name)
		}
	}
	if len(free) == 0 {
		return nil
	}
	way := map[string]string{"apt": "apt-mark hold ", "dnf": "dnf versionlock add ", "zypper": "zypper addlock "}[f.Packages]
	return []Finding{{Severity: Notes, Text: "not held: " + strings.Join(free, ", ") +
		"; an upgrade of the host's packages would upgrade the node",
		WayOut: way + strings.Join(free, " ")}}
}
