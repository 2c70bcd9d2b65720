// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// setting is a kernel parameter that a node's agents set, and the kernel's own
// default, which they may have overwritten.
type setting struct {
	owner               inventory.Owner
	name, set, defaults string
}

// settings are those of the kubelet (pkg/kubelet/cm/container_manager_linux.go
// and k8s.io/component-helpers/node/util/sysctl) and of kube-proxy
// (cmd/kube-proxy/app/conntrack.go), Kubernetes 1.36.
func settings() []setting {
	return []setting{
		{inventory.Kubelet, "vm.overcommit_memory", "1", "0"},
		{inventory.Kubelet, "kernel.panic", "10", "0"},
		{inventory.Kubelet, "kernel.panic_on_oops", "1", "0"},
		{inventory.Kubelet, "kernel.keys.root_maxkeys", "1000000", "1000000"},
		{inventory.Kubelet, "kernel.keys.root_maxbytes", "25000000", "25000000"},
		{inventory.KubeProxy, "net.netfilter.nf_conntrack_tcp_timeout_established", "86400", "432000"},
		{inventory.KubeProxy, "net.netfilter.nf_conntrack_tcp_timeout_close_wait", "3600", "60"},
		{inventory.KubeProxy, "net.ipv4.conf.all.route_localnet", "1", "0"},
		{inventory.CNIPlugins, "net.ipv4.ip_forward", "1", "0"},
		// Cilium's (pkg/datapath/{linux,loader,iptables} and its sysctlfix, 1.19), with
		// the defaults of distributions.
		{inventory.Cilium, "net.ipv4.conf.all.rp_filter", "0", ""},
		{inventory.Cilium, "net.ipv4.fib_multipath_use_neigh", "1", "0"},
		{inventory.Cilium, "net.core.bpf_jit_enable", "1", ""},
		{inventory.Cilium, "kernel.timer_migration", "0", "1"},
		{inventory.Cilium, "kernel.unprivileged_bpf_disabled", "1", ""},
		{inventory.Cilium, "net.ipv4.ip_early_demux", "0", "1"},
		{inventory.Cilium, "net.core.fb_tunnels_only_for_init_net", "2", "0"},
		{inventory.Cilium, "net.core.default_qdisc", "fq", ""}, // the bandwidth manager's, as the next two
		{inventory.Cilium, "net.ipv4.tcp_congestion_control", "bbr", ""},
		{inventory.Cilium, "net.ipv4.tcp_slow_start_after_idle", "0", "1"},
		{inventory.Calico, "net.ipv6.conf.all.forwarding", "1", "0"},
		{inventory.KubeRouter, "net.bridge.bridge-nf-call-iptables", "1", ""},
	}
}

// widelySet reports whether an owner's settings are such as many others make, too:
// they are told only where the owner was.
func (s setting) widelySet() bool {
	return !slices.Contains([]inventory.Owner{inventory.Kubelet, inventory.KubeProxy, inventory.CNIPlugins}, s.owner)
}

// Sysctls reports the settings that look as a node's agents leave them. What
// they were before is noted nowhere, and many are also set on purpose (by an
// administrator who prepared the host), so they are not touched: they do no harm and
// take their configured values with the next boot.
func (t Control) Sysctls() part.Part {
	return part.Part{ID: "sysctls", Title: "Kernel parameters", Kind: inventory.KindSysctl,
		Look: func(context.Context) (part.Findings, error) {
			var s part.Findings
			for _, set := range settings() {
				raw, err := os.ReadFile(t.Path(filepath.Join("/proc/sys", strings.ReplaceAll(set.name, ".", "/"))))
				if value := strings.TrimSpace(string(raw)); err == nil && value == set.set && value != set.defaults && t.tells(set) {
					s.Add(inventory.Item{Kind: inventory.KindSysctl, Name: set.name, Owner: set.owner, Fate: inventory.Harmless, Detail: value,
						Why: "as Kubernetes sets it, or an administrator; takes its configured value with the next boot"})
				}
			}
			return s, nil
		}}
}

// tells reports whether a setting is told here: for one network alone, that network's own.
func (t Control) tells(s setting) bool {
	if t.Scope.Limited() && s.owner != t.Scope.Owner {
		return false
	}
	return !s.widelySet() || t.Second(s.owner)
}
