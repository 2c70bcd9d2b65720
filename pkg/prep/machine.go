// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
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

// mostLeft is how many leftovers are named.
const mostLeft = 8

// leftovers: a bare "kubeadm reset" leaves what the network has made. A bridge keeps its
// address, and pods get addresses to which no other node has a route
// (flannel-io/flannel#820).
func leftovers(f Facts, w Wanted) []Finding {
	if w.Joined || len(f.Traces) > 0 || len(f.Leftovers) == 0 {
		return nil
	}
	named := strings.Join(f.Leftovers[:min(len(f.Leftovers), mostLeft)], ", ")
	if more := len(f.Leftovers) - mostLeft; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	finding := Finding{Severity: Warns, Text: "an earlier cluster or its network has left " + named,
		WayOut: "see all of it on the host: lifecycle-node clean; take it away: lifecycle-node clean --yes"}
	if len(f.LeftLinks) > 0 {
		finding.Severity = Blocks
		finding.Text += "; with " + strings.Join(f.LeftLinks, ", ") + " pods may get addresses of the old network, which no other node reaches"
	}
	return []Finding{finding}
}

// manifests: kubeadm refuses a directory of static pods that is not empty. A proxy or a
// keepalived that is to run before the join is no sign of a cluster
// (kubernetes-sigs/kubespray#4252).
func manifests(f Facts, w Wanted) []Finding {
	const check = "DirAvailable--etc-kubernetes-manifests"
	if w.Joined || len(f.Traces) > 0 || len(f.Manifests) == 0 {
		return nil
	}
	text := "/etc/kubernetes/manifests is not empty: " + strings.Join(f.Manifests, ", ")
	if w.ignores(check) {
		return []Finding{{Severity: Notes, Text: text + "; kubeadm is told to ignore it",
			WayOut: "the kubelet runs these pods once the host has joined"}}
	}
	return []Finding{{Severity: Blocks, Text: text + "; kubeadm refuses that",
		WayOut: "move them away until the host has joined; where they are to run from the start, join with --ignore-preflight-errors " + check}}
}

// etcdData: kubeadm refuses a directory of etcd's data in which there is anything, also what
// mkfs has made in it (kubernetes/kubeadm#2127). etcd itself does not mind it.
func etcdData(f Facts, w Wanted) []Finding {
	dir := w.EtcdData()
	if w.Joined || len(f.Traces) > 0 || len(f.EtcdData) == 0 {
		return nil
	}
	check := "DirAvailable-" + strings.ReplaceAll(dir, "/", "-")
	ignore := text.Command("--ignore-preflight-errors", check)
	said := dir + " is not empty: " + strings.Join(f.EtcdData[:min(len(f.EtcdData), mostLeft)], ", ")
	fresh := len(f.EtcdData) == 1 && f.EtcdData[0] == "lost+found"
	switch {
	case w.ignores(check):
		return []Finding{{Severity: Notes, Text: said + "; kubeadm is told to ignore it"}}
	case fresh:
		return []Finding{{Severity: Blocks, Text: said + "; kubeadm refuses that, although it is the file system's own",
			WayOut: "leave it there: join with " + ignore}}
	}
	return []Finding{{Severity: Blocks, Text: said + "; kubeadm refuses that",
		WayOut: "find out whose it is: move the data of an earlier etcd away; what etcd does not read may stay: " + ignore}}
}

// resolvConf: pods get the name servers of a file that the kubelet is told. Where it is
// not there, no pod gets a sandbox (kubernetes/kubeadm#1124); where it names the host's
// loopback alone, CoreDNS asks itself (kubernetes/kubeadm#273).
func resolvConf(f Facts, _ Wanted) []Finding {
	r := f.Resolver
	const other = "let the kubelet of this host read another file: KUBELET_EXTRA_ARGS=--resolv-conf=FILE in /etc/default/kubelet " +
		"(/etc/sysconfig/kubelet on RPM distributions)"
	switch {
	case r.Path == "":
	case !r.There && strings.HasPrefix(r.Path, "/run/systemd/resolve/"):
		return []Finding{{Severity: Blocks, Text: "the kubelet is told to read " + r.Path + ", which is not there: no pod would start",
			WayOut: "turn systemd-resolved on (systemctl enable --now systemd-resolved), or " + other}}
	case !r.There:
		return []Finding{{Severity: Blocks, Text: "the kubelet is told to read " + r.Path + ", which is not there: no pod would start",
			WayOut: "make it, or " + other}}
	case len(r.Servers) > 0 && !slices.ContainsFunc(r.Servers, func(server string) bool { return !loopback(server) }):
		return []Finding{{Severity: Warns, Text: r.Path + " names " + strings.Join(r.Servers, ", ") +
			" alone, which is the host's loopback: CoreDNS and pods that take the host's name servers ask themselves", WayOut: other}}
	}
	return nil
}

// loopback reports whether a name server is one that each network namespace has for itself.
func loopback(server string) bool {
	addr, err := netip.ParseAddr(server)
	return err == nil && addr.Unmap().IsLoopback()
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
		if _, there := f.Programs[name]; !there && !f.comes(name) {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		all = append(all, Finding{Severity: Blocks, Text: "not installed: " + strings.Join(lacking, ", "),
			WayOut: "install the packages of " + orWord(w.Kubernetes, "the cluster's version") +
				" from pkgs.k8s.io or your mirror of it; each minor version " +
				"has a repository of its own; or let this program do it: --install"})
	}
	var tools []string
	for _, name := range ToolsWanted() {
		if _, there := f.Programs[name]; f.comes(name) {
			continue
		} else if !there && !slices.Contains(must(), name) {
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
		if _, there := f.Programs[name]; there && !slices.Contains(f.Held, name) && !f.holdsSoon(name) {
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

// holdsSoon reports whether the installation holds a package.
func (f Facts) holdsSoon(name string) bool {
	return f.Install != nil && slices.Contains(f.Install.Held, name)
}

// packagesToCome brings what is lacking, where that is asked for.
func packagesToCome(f Facts, _ Wanted) []Finding {
	if f.Install == nil || f.Install.None() {
		return nil
	}
	if len(f.Install.Packages) == 0 { // an earlier run has ended before it held them
		return []Finding{{Severity: Notes, Text: "installed by an earlier run, and not held: " + strings.Join(f.Install.Held, ", "),
			Changes: Installation(*f.Install)}}
	}
	return []Finding{{Severity: Blocks, Text: "lacking: " + strings.Join(f.Install.Brings, ", "), Changes: Installation(*f.Install)}}
}

// Installation are the changes of an installation, in the order in which they are made.
func Installation(p packages.Plan) (all []Change) {
	file := func(path, content, name string) Change {
		was, there := p.Was[path]
		c := edit(File{Path: path, Content: was, There: there, Mode: 0o644}, content)
		c.Name = name
		return c
	}
	if p.Key != "" {
		all = append(all, file(p.Source.KeyFile, p.Key, p.Trust), file(p.Source.ListFile, p.Source.List(p.Tool, p.Source.KeyFile), ""))
	}
	if len(p.Packages) > 0 {
		all = append(all, Change{Kind: InstallPackages, Name: string(p.Tool), Content: packages.Format(p.Packages)})
	}
	if len(p.Held) > 0 {
		all = append(all, Change{Kind: HoldPackages, Name: string(p.Tool), Content: strings.Join(p.Held, " ")})
	}
	return all
}
