// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/health"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// staleConfigs is CNI005: the runtime takes the first file by name, and that is not
// the network's (k0s#823, coredns#3681, kubernetes#107127).
func staleConfigs(in Input) []Finding {
	own := in.configs()
	if len(own) == 0 {
		return nil
	}
	var g grouper
	hosts := map[string]wire.HostNetwork{}
	for _, h := range in.Hosts {
		if len(h.Configs) == 0 || slices.Contains(own, h.Configs[0].File) || in.Wanted.CNI != "" && h.Configs[0].File > own[0] {
			continue
		}
		written := slices.ContainsFunc(h.Configs, func(c wire.NetConfig) bool { return slices.Contains(own, c.File) })
		if in.Wanted.CNI == "" && !written && in.notYet(h.Node, time.Time{}) {
			continue // the agent writes its file when it starts
		}
		first := h.Configs[0]
		g.add(fmt.Sprintf("%s (%s)", path.Join(h.ConfDir, text.Short(first.File, 80)), text.Choose(first.Bad != "", "unreadable: "+first.Bad,
			"plugins "+text.Some(first.Types))), h.Node)
		hosts[h.Node] = h
	}
	return g.each(func(file string, names []string) Finding {
		h := hosts[names[0]]
		return Finding{ID: "CNI005", Severity: Error, Blocks: in.Wanted.CNI != "",
			What:     fmt.Sprintf("on %s the runtime takes %s for the pods' network, and not %s: it sorts first", nodes(names), file, own[0]),
			Evidence: "files in " + h.ConfDir + ": " + text.Some(filesOf(h)),
			Cure: "delete that file on the host if no network of this cluster writes it (never the directory itself): rm " +
				text.Quote(path.Join(h.ConfDir, h.Configs[0].File)) + "; then restart the pods that were made by it"}
	})
}

// notYet reports whether the network's agent of a node is not ready, or was not at some time: what
// is missing there is no sign of another network then. What keeps an agent from starting has
// findings of its own.
func (in Input) notYet(node string, at time.Time) bool {
	for _, agents := range in.Pods.Agents {
		for _, pod := range agents {
			if health.NodeOf(pod) != node {
				continue
			}
			since := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
			return !health.AgentOf(pod).Ready || !at.IsZero() && since >= 0 && pod.Status.Conditions[since].LastTransitionTime.After(at)
		}
	}
	return len(in.Pods.Agents) > 0
}

// configs are the names of the files that the networks of the input write.
func (in Input) configs() []string {
	var out []string
	for _, name := range in.names() {
		if c := needsOf(name).Conflist; c != "" {
			out = append(out, c)
		}
	}
	return out
}

func filesOf(h wire.HostNetwork) []string {
	var out []string
	for _, c := range h.Configs {
		out = append(out, text.Short(c.File, 80))
	}
	return out
}

// missingConfDir is CNI006 before it happens: without the directory a runtime has
// nothing to watch (containerd#6490).
func missingConfDir(in Input) []Finding {
	return in.onHosts(func(h wire.HostNetwork) string { return text.Choose(h.NoConfDir, h.ConfDir, "") },
		func(dir string, names []string) Finding {
			return Finding{ID: "CNI006", Severity: pick(len(in.Networks) > 0, Error, Warning), Evidence: "seen on the host",
				What: fmt.Sprintf("%s %s no %s: the runtime cannot see the configuration that a network will write", nodes(names),
					verb(len(names), "has", "have"), dir),
				Cure: "on the host: mkdir -p " + text.Quote(dir) + "; systemctl restart containerd (running containers stay)"}
		})
}

// missingPlugins is CNI007, or CNI008 for a reference plugin: the configuration that
// is used names a program that is not there.
func missingPlugins(in Input) []Finding {
	out := in.onHosts(func(h wire.HostNetwork) string {
		if len(h.Configs) == 0 {
			return ""
		}
		return strings.Join(missing(h.Configs[0].Types, h.Plugins), ", ") + text.Choose(len(missing(h.Configs[0].Types, h.Plugins)) > 0,
			" in "+text.Some(h.BinDirs), "")
	}, func(what string, names []string) Finding {
		return Finding{ID: "CNI007", Severity: Error, Evidence: "the configuration that the runtime takes, against its directories of plugins",
			What: fmt.Sprintf("the network of %s calls programs that are not there: %s", nodes(names), what),
			Cure: "install them there (containernetworking-plugins), or name the directory in which they are in the runtime's bin_dirs"}
	})
	for _, name := range in.names() {
		wanted := needsOf(name).Plugins
		out = append(out, in.onHosts(func(h wire.HostNetwork) string { return strings.Join(missing(wanted, h.Plugins), ", ") },
			func(what string, names []string) Finding {
				return Finding{ID: "CNI008", Severity: Error, Blocks: in.Wanted.CNI != "", Evidence: "seen on the host",
					What: fmt.Sprintf("%s %s not the plugins that %s calls and does not bring: %s", nodes(names), verb(len(names), "has", "have"),
						name, what),
					Cure: "install containernetworking-plugins there, so that they are in /opt/cni/bin"}
			})...)
	}
	return out
}

func missing(wanted, there []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(w string) bool { return slices.Contains(there, w) })
}

// noNetfilter is CNI008: bridged packets do not pass the packet filter
// (flannel#2068: kubeadm from 1.30 on does not look for it any more).
func noNetfilter(in Input) []Finding {
	return in.needing(needsModule(netfilter), func(h wire.HostNetwork) bool { return !h.Netfilter },
		func(name string, names []string) Finding {
			return Finding{ID: "CNI008", Severity: Error, Evidence: "there is no /proc/sys/net/bridge/bridge-nf-call-iptables",
				What: fmt.Sprintf("%s %s not loaded br_netfilter, and %s needs it", nodes(names), verb(len(names), "has", "have"), name),
				Cure: "on the host: modprobe br_netfilter, and for later starts: echo br_netfilter >/etc/modules-load.d/k8s.conf"}
		})
}

// noSwitch is CNI026: no Open vSwitch in the kernel (antrea-io/antrea#2635).
func noSwitch(in Input) []Finding {
	return in.needing(needsModule(openVSwitch), func(h wire.HostNetwork) bool { return !h.OpenVSwitch },
		func(name string, names []string) Finding {
			return Finding{ID: "CNI026", Severity: Warning, Evidence: "neither loaded nor among the kernel's modules",
				What: fmt.Sprintf("the %s of %s %s no module openvswitch, and %s needs it", verb(len(names), "kernel", "kernels"), nodes(names),
					verb(len(names), "has", "have"), name),
				Cure: "install the package of the kernel's modules, or choose another network"}
		})
}

// pluginDir is CNI023: an agent that gave up its capabilities cannot write into a
// directory of another owner, and nothing runs on a noexec mount (cilium#23838).
func pluginDir(in Input) []Finding {
	return in.onHosts(func(h wire.HostNetwork) string {
		switch {
		case h.BinNoExec:
			return "is on a file system that is mounted noexec"
		case h.BinOwner != 0:
			return fmt.Sprintf("belongs to user %d, and not to root", h.BinOwner)
		case h.BinMode != 0 && h.BinMode&0o300 != 0o300:
			return fmt.Sprintf("has mode %o, which keeps its owner from writing", h.BinMode)
		}
		return ""
	}, func(what string, names []string) Finding {
		return Finding{ID: "CNI023", Severity: pick(len(in.Networks) > 0 && in.Wanted.CNI == "", Warning, Error), Evidence: "seen on the host",
			Blocks: in.Wanted.CNI != "", What: fmt.Sprintf("/opt/cni/bin of %s %s: an agent cannot put its plugin there", nodes(names), what),
			Cure: "on the host: chown root:root /opt/cni/bin; chmod 755 /opt/cni/bin; mount -o remount,exec if it is noexec"}
	})
}

// takenPorts is CNI028: another program listens where the network's agent will.
func takenPorts(in Input) []Finding {
	var out []Finding
	for _, name := range in.names() {
		for _, p := range needsOf(name).Ports {
			proto := strings.ToLower(p.Protocol)
			out = append(out, in.onHosts(func(h wire.HostNetwork) string {
				for _, l := range h.Listeners {
					if l.Port == p.Number && l.Proto == proto && l.Program != "" && in.Wanted.CNI != "" {
						return text.Short(l.Program, 60)
					}
				}
				return ""
			}, func(program string, names []string) Finding {
				return Finding{ID: "CNI028", Severity: Error, Evidence: "the host's sockets", Blocks: proto == "tcp",
					What: fmt.Sprintf("port %d/%s of %s is taken by %s, and %s needs it for %s", p.Number, proto, nodes(names), program, name, p.For),
					Cure: "stop that program there, or give the network another port in the values of its chart"}
			})...)
		}
	}
	return out
}

// onHosts makes a finding of each reason that holds on hosts.
func (in Input) onHosts(why func(wire.HostNetwork) string, make func(why string, names []string) Finding) []Finding {
	var g grouper
	for _, h := range in.Hosts {
		if w := why(h); w != "" {
			g.add(w, h.Node)
		}
	}
	return g.each(make)
}

// needing makes a finding for each network that needs what hosts do not have.
func (in Input) needing(
	wants func(catalogue.Host) bool, lacks func(wire.HostNetwork) bool, make func(name string, names []string) Finding,
) []Finding {
	var out []Finding
	for _, name := range in.names() {
		if !wants(needsOf(name)) {
			continue
		}
		out = append(out, in.onHosts(func(h wire.HostNetwork) string { return text.Choose(lacks(h), name, "") }, make)...)
	}
	return out
}

func pick(first bool, yes, no Severity) Severity {
	if first {
		return yes
	}
	return no
}
