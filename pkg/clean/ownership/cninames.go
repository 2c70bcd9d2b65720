// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// CNIConf returns whose a file in /etc/cni/net.d is, by the names that
// the networks give their files.
func CNIConf(name string) inventory.Owner {
	return compile(
		pattern{inventory.Lifecycle, `00-kubectl-lifecycle\.conflist(\.new)?`},
		pattern{inventory.Flannel, `10-flannel\.conf(list)?`},
		pattern{inventory.Calico, `10-(calico|canal)\.conflist|calico-kubeconfig|calico-tls`},
		pattern{inventory.Cilium, `0?[0-9]-cilium(-cni)?\.conf(list)?`},
		pattern{inventory.KubeRouter, `10-kuberouter\.conf(list)?`},
		pattern{inventory.Antrea, `10-antrea\.conflist`},
		pattern{inventory.KubeOVN, `0[01]-kube-ovn\.conflist`},
		pattern{inventory.Weave, `10-weave\.conflist`},
		pattern{inventory.Kilo, `10-kilo\.conflist`},
	).Owner(name)
}

// CNIPlugin returns whose a plugin in /opt/cni/bin is that comes with a pod
// network and not with the standard plugins.
func CNIPlugin(name string) inventory.Owner {
	return compile(
		pattern{inventory.Flannel, `flannel`},
		pattern{inventory.Calico, `calico(-ipam)?`},
		pattern{inventory.Cilium, `cilium-cni|cilium-mount|cilium-sysctlfix`},
		pattern{inventory.Antrea, `antrea`},
		pattern{inventory.KubeOVN, `kube-ovn`},
		pattern{inventory.Weave, `weave-(ipam|net|plugin-.+)`},
		pattern{inventory.Multus, `multus(-shim)?|passthru`},
		pattern{inventory.Istio, `istio-(cni|iptables)`},
		pattern{inventory.Linkerd, `linkerd-cni`},
		pattern{inventory.Whereabouts, `whereabouts`},
	).Owner(name)
}

// override is a file that a network, or the kubelet, writes into a directory of the host's.
type override struct {
	Owner inventory.Owner
	Path  string
	// Since says that only one that was made since the join goes: its lines are ordinary.
	Since bool
	// lines are all that such a file may hold beside comments and empty lines: the
	// beginnings of its lines. What a person has added makes it that person's.
	lines []string
}

// LogindDir is where systemd-logind looks for what changes its configuration.
const LogindDir = "/etc/systemd/logind.conf.d"

// Overrides are Cilium's, against systemd's rp_filter (tools/sysctlfix, since 1.10), and the
// kubelet's, for a graceful shutdown of the host that takes longer than logind's 5 s
// (pkg/kubelet/nodeshutdown/systemd/inhibit_linux.go, since 1.20).
func Overrides() []override {
	lines := []string{"-net.ipv4.conf.lxc*.rp_filter", "-net.ipv4.conf.cilium_*.rp_filter", "net.ipv4.conf.lxc*.rp_filter",
		"net.ipv4.conf.cilium_*.rp_filter", "net.ipv4.conf.all.rp_filter"}
	return []override{
		{Owner: inventory.Cilium, Path: "/etc/sysctl.d/99-zzz-override_cilium.conf", lines: lines},
		{Owner: inventory.Kubelet, Path: LogindDir + "/99-kubelet.conf", Since: true, lines: []string{"[Login]", "InhibitDelayMaxSec"}},
	}
}

// Wrote reports whether a file holds what the network writes, and nothing else.
func (o override) Wrote(raw []byte) bool {
	known := 0
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(line, "=")
		if !slices.Contains(o.lines, strings.TrimSpace(name)) {
			return false
		}
		known++
	}
	return known > 0
}

// NetworkNames are the names that pod networks give to their CNI networks, in
// the configurations that they write.
func NetworkNames() []string {
	return append(slices.Sorted(maps.Values(inventory.Networks())), "multus-cni-network")
}
