// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"regexp"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// pattern names the owner of what its expression fits entirely.
type pattern struct {
	owner inventory.Owner
	fits  string
}

// patterns are compiled once for a whole list of names: a node has ten
// thousand chains.
type patterns []compiled

type compiled struct {
	owner inventory.Owner
	fits  *regexp.Regexp
}

func compile(list ...pattern) patterns {
	out := make(patterns, 0, len(list))
	for _, p := range list {
		out = append(out, compiled{p.owner, regexp.MustCompile(`^(?:` + p.fits + `)$`)})
	}
	return out
}

// Owner returns the owner of a name by the first pattern that fits.
func (ps patterns) Owner(name string) inventory.Owner {
	for _, p := range ps {
		if p.fits.MatchString(name) {
			return p.owner
		}
	}
	return inventory.Foreign
}

// within keeps the order of patterns: what fits one of an owner that is not in a scope is
// foreign, whatever fits it later.
func (ps patterns) within(scope inventory.Scope) patterns {
	out := slices.Clone(ps)
	for i := range out {
		if !scope.Takes(out[i].owner) {
			out[i].owner = inventory.Foreign
		}
	}
	return out
}

// Chains are the iptables chains of Kubernetes and its networks, by the
// names in their sources (Kubernetes 1.36 pkg/kubelet/kubelet_network_linux.go,
// pkg/proxy/{iptables,ipvs}; containernetworking/plugins 1.9; flannel 0.28).
// An unknown KUBE-something is foreign: a name that is only alike proves
// nothing.
func Chains() patterns {
	return compile(
		pattern{inventory.Kubelet, `KUBE-(FIREWALL|MARK-MASQ|MARK-DROP|POSTROUTING|IPTABLES-HINT|KUBELET-CANARY)`},
		pattern{inventory.KubeRouter, `KUBE-(ROUTER-.+|POD-FW-.+|NWPLCY-.+)`},
		pattern{inventory.KubeProxy, `KUBE-(SERVICES|EXTERNAL-SERVICES|NODEPORTS|FORWARD|PROXY-FIREWALL|PROXY-CANARY|` +
			`LOAD-BALANCER|NODE-PORT|SOURCE-RANGES-FIREWALL)`},
		pattern{inventory.KubeProxy, `KUBE-(SVC|SVL|EXT|SEP|FW|XLB)-[A-Z2-7]+`},
		pattern{inventory.KubeProxy, `KUBE-IPVS-(FILTER|OUT-FILTER|IPS)`},
		pattern{inventory.CNIPlugins, `CNI-(HOSTPORT-(DNAT|SNAT|SETMARK|MASQ)|FORWARD|ADMIN|ISOLATION-STAGE-[12])`},
		pattern{inventory.CNIPlugins, ContainerChain().String()},
		pattern{inventory.Flannel, `FLANNEL-(POSTRTG|FWD)`},
		pattern{inventory.Calico, `cali-.+`},
		pattern{inventory.Cilium, `(OLD_)?CILIUM_.+`},
		pattern{inventory.Antrea, `ANTREA-.+`},
		pattern{inventory.KubeOVN, `OVN-.+`},
		pattern{inventory.Weave, `WEAVE(-.+)?`},
	)
}

// ContainerChain fits the chains that a standard CNI plugin makes for a single
// container: masquerading, and port mappings of two ages of the plugins.
func ContainerChain() *regexp.Regexp { return regexp.MustCompile(`^CNI-((DN|SN)-)?[0-9a-f]{20,}$`) }

// Comments are rules outside of own chains that say whose they are, and are
// believed where their owner has another sign on this host. Cilium's all jump to
// chains of its own, by which one knows them: "cilium: …" may be an administrator's.
func Comments() patterns {
	return compile(
		pattern{inventory.Flannel, `flanneld (masq|forward)`},
		pattern{inventory.Calico, `cali:[A-Za-z0-9_-]{16}`},
		pattern{inventory.KubeRouter, `kube-router netpol.*`},
		pattern{inventory.NodeDNS, `NodeLocal DNS Cache.*`},
	)
}

// Tables are native nft tables that belong to one owner entirely; the
// family is part of the name.
func Tables() patterns {
	return compile(
		pattern{inventory.KubeProxy, `ip6? kube-proxy`},
		pattern{inventory.Flannel, `ip flannel-ipv4|ip6 flannel-ipv6`},
		pattern{inventory.CNIPlugins, `inet cni_plugins_masquerade|ip6? cni_hostport`},
		pattern{inventory.Calico, `ip6? calico|arp calico(-arp)?`},
	)
}

// Signs are what rules and tables are known by; to be made once for many tables.
type Signs struct {
	Chains, Comments, Tables patterns
	// others says that this host has CNI networks besides the pods', which use the
	// same plugins.
	Others bool
	// second reports whether an owner has another sign on this host than comments;
	// nil for none.
	Second func(inventory.Owner) bool
	// scope limits what is ours.
	scope inventory.Scope
}

// Within limits signs to a scope: what is not in it is taken for foreign.
func (s Signs) Within(scope inventory.Scope) Signs {
	s.scope = scope
	s.Chains, s.Comments, s.Tables = s.Chains.within(scope), s.Comments.within(scope), s.Tables.within(scope)
	return s
}

// Network reports whether the name of a CNI network is a pod network's.
func (s Signs) Network(name string) bool { return s.scope.TakesNetwork(name, NetworkNames()) }

// FilterSigns are what rules and tables are known by.
func FilterSigns(others bool, second func(inventory.Owner) bool) Signs {
	return Signs{Chains: Chains(), Comments: Comments(), Tables: Tables(), Others: others, Second: second}
}

// Sets are ip sets by their names.
func Sets() patterns {
	return compile(
		pattern{inventory.KubeRouter, `(inet6:)?kube-router-.+|KUBE-(SRC|DST)-.+`},
		pattern{inventory.KubeProxy, `KUBE-(6-)?(LOOP-BACK|CLUSTER-IP|EXTERNAL-IP(-LOCAL)?|LOAD-BALANCER(-.+)?|NODE-PORT-.+|` +
			`HEALTH-CHECK-NODE-PORT|IPVS-IPS)`},
		pattern{inventory.Calico, `cali[46]0.+|felix-.+`},
		pattern{inventory.Antrea, `ANTREA-.+`},
		pattern{inventory.KubeOVN, `ovn[46]0.+`},
		pattern{inventory.Weave, `weave-.+`},
	)
}

// linkPattern is a network link by name and by kind: a bridge that someone
// called flannel.1 is not flannel's.
type linkPattern struct {
	owner inventory.Owner
	kinds []string
	fits  string
}

// OpenVSwitch is the kind of a port that only Open vSwitch itself can delete.
const OpenVSwitch = "openvswitch"

func linkPatterns() []linkPattern {
	return []linkPattern{
		{inventory.CNIPlugins, []string{"bridge"}, `cni0`},
		{inventory.Flannel, []string{"vxlan"}, `flannel(-v6)?\.[0-9]+`},
		{inventory.Flannel, []string{"wireguard"}, `flannel-wg(-v6)?`},
		{inventory.Flannel, []string{"ipip"}, `flannel\.ipip`},
		{inventory.KubeProxy, []string{"dummy"}, `kube-ipvs0`},
		{inventory.NodeDNS, []string{"dummy"}, `nodelocaldns`},
		{inventory.Calico, []string{"veth"}, `cali[0-9a-f]{11}`},
		{inventory.Calico, []string{"vxlan"}, `vxlan(-v6)?\.calico`},
		{inventory.Calico, []string{"wireguard"}, `wireguard\.cali|wg-v6\.cali`},
		{inventory.Calico, []string{"veth", "dummy"}, `bpf(in|out)\.cali`},
		{inventory.Cilium, []string{"veth"}, `cilium_(host|net)`},
		{inventory.Cilium, []string{"veth", "netkit"}, `lxc[0-9a-f]{12}|lxc_health`},
		{inventory.Cilium, []string{"ipip"}, `cilium_ipip4`},
		{inventory.Cilium, []string{"ip6tnl"}, `cilium_ipip6`},
		{inventory.Cilium, []string{"vxlan"}, `cilium_vxlan`},
		{inventory.Cilium, []string{"geneve"}, `cilium_geneve`},
		{inventory.Cilium, []string{"wireguard"}, `cilium_wg0`},
		{inventory.KubeRouter, []string{"bridge"}, `kube-bridge`},
		{inventory.KubeRouter, []string{"dummy"}, `kube-dummy-if`},
		{inventory.Antrea, []string{OpenVSwitch}, `antrea-(gw|tun|ingress|egress)0`},
		{inventory.KubeOVN, []string{OpenVSwitch}, `ovn0|mirror0`},
		{inventory.Weave, []string{"bridge"}, `weave`},
		{inventory.Weave, []string{"veth"}, `vethwe-(bridge|datapath|pcap)|vethwepl[0-9a-f]{7}`},
		{inventory.Weave, []string{"vxlan"}, `vxlan-6784`},
	}
}

// Link returns whose a link is.
func Link(name, kind string) inventory.Owner {
	for _, p := range linkPatterns() {
		if slices.Contains(p.kinds, kind) && compile(pattern{p.owner, p.fits}).Owner(name) != inventory.Foreign {
			return p.owner
		}
	}
	return inventory.Foreign
}

// Pins are names directly in /sys/fs/bpf and in its tc/globals.
func Pins() patterns {
	return compile(
		pattern{inventory.Cilium, `cilium|tc/globals/cilium_.+`},
		pattern{inventory.Calico, `calico|tc/globals/(cali_.+|calico_.+)|tc/cali.*|(cali|calico|xdp_cali)_.+`},
	)
}

// Mounts are mounts outside of the kubelet's root. The paths are those of
// containerd's CRI plugin (containers in the namespace k8s.io, shared memory of
// sandboxes), CRI-O, and of network namespaces that CNI users name "cni-<uuid>".
func Mounts() patterns {
	return compile(
		pattern{inventory.Runtime, `/run/containerd/io\.containerd\.runtime\.v2\.task/k8s\.io/.+`},
		pattern{inventory.Runtime, `/run/containerd/io\.containerd\.grpc\.v1\.cri/(sandboxes|containers)/.+`},
		pattern{inventory.CNIPlugins, `(/var)?/run/netns/cni-[0-9a-f-]{36}`},
		pattern{inventory.Calico, `/run/calico/cgroup`},
		pattern{inventory.Cilium, `/run/cilium/cgroupv2`},
	)
}
