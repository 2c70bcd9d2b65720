// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"regexp"
	"slices"
)

// pattern names the owner of what its expression fits entirely.
type pattern struct {
	owner Owner
	fits  string
}

// patterns are compiled once for a whole list of names: a node has ten
// thousand chains.
type patterns []compiled

type compiled struct {
	owner Owner
	fits  *regexp.Regexp
}

func compile(list ...pattern) patterns {
	out := make(patterns, 0, len(list))
	for _, p := range list {
		out = append(out, compiled{p.owner, regexp.MustCompile(`^(?:` + p.fits + `)$`)})
	}
	return out
}

// owner returns the owner of a name by the first pattern that fits.
func (ps patterns) owner(name string) Owner {
	for _, p := range ps {
		if p.fits.MatchString(name) {
			return p.owner
		}
	}
	return Foreign
}

// chainPatterns are the iptables chains of Kubernetes and its networks, by the
// names in their sources (Kubernetes 1.36 pkg/kubelet/kubelet_network_linux.go,
// pkg/proxy/{iptables,ipvs}; containernetworking/plugins 1.9; flannel 0.28).
// An unknown KUBE-something is foreign: a name that is only alike proves
// nothing.
func chainPatterns() patterns {
	return compile(
		pattern{Kubelet, `KUBE-(FIREWALL|MARK-MASQ|MARK-DROP|POSTROUTING|IPTABLES-HINT|KUBELET-CANARY)`},
		pattern{KubeRouter, `KUBE-(ROUTER-.+|POD-FW-.+|NWPLCY-.+)`},
		pattern{KubeProxy, `KUBE-(SERVICES|EXTERNAL-SERVICES|NODEPORTS|FORWARD|PROXY-FIREWALL|PROXY-CANARY|LOAD-BALANCER|NODE-PORT|SOURCE-RANGES-FIREWALL)`},
		pattern{KubeProxy, `KUBE-(SVC|SVL|EXT|SEP|FW|XLB)-[A-Z2-7]+`},
		pattern{KubeProxy, `KUBE-IPVS-(FILTER|OUT-FILTER|IPS)`},
		pattern{CNIPlugins, `CNI-(HOSTPORT-(DNAT|SNAT|SETMARK|MASQ)|FORWARD|ADMIN|ISOLATION-STAGE-[12])`},
		pattern{CNIPlugins, containerChain().String()},
		pattern{Flannel, `FLANNEL-(POSTRTG|FWD)`},
		pattern{Calico, `cali-.+`},
		pattern{Cilium, `(OLD_)?CILIUM_.+`},
		pattern{Antrea, `ANTREA-.+`},
		pattern{KubeOVN, `OVN-.+`},
		pattern{Weave, `WEAVE(-.+)?`},
	)
}

// containerChain fits the chains that a standard CNI plugin makes for a single
// container: masquerading, and port mappings of two ages of the plugins.
func containerChain() *regexp.Regexp { return regexp.MustCompile(`^CNI-((DN|SN)-)?[0-9a-f]{20,}$`) }

// commentPatterns are rules outside of own chains that say whose they are, and are
// believed where their owner has another sign on this host. Cilium's all jump to
// chains of its own, by which one knows them: "cilium: …" may be anybody's.
func commentPatterns() patterns {
	return compile(
		pattern{Flannel, `flanneld (masq|forward)`},
		pattern{Calico, `cali:[A-Za-z0-9_-]{16}`},
		pattern{KubeRouter, `kube-router netpol.*`},
		pattern{NodeDNS, `NodeLocal DNS Cache.*`},
	)
}

// tablePatterns are native nft tables that belong to one owner entirely; the
// family is part of the name.
func tablePatterns() patterns {
	return compile(
		pattern{KubeProxy, `ip6? kube-proxy`},
		pattern{Flannel, `ip flannel-ipv4|ip6 flannel-ipv6`},
		pattern{CNIPlugins, `inet cni_plugins_masquerade|ip6? cni_hostport`},
		pattern{Calico, `ip6? calico|arp calico(-arp)?`},
	)
}

// signs are what rules and tables are known by; to be made once for many tables.
type signs struct {
	chains, comments, tables patterns
	// others says that this host has CNI networks besides the pods', which use the
	// same plugins.
	others bool
	// second reports whether an owner has another sign on this host than comments;
	// nil for none.
	second func(Owner) bool
}

func filterSigns(others bool, second func(Owner) bool) signs {
	return signs{chains: chainPatterns(), comments: commentPatterns(), tables: tablePatterns(), others: others, second: second}
}

func setPatterns() patterns {
	return compile(
		pattern{KubeRouter, `(inet6:)?kube-router-.+|KUBE-(SRC|DST)-.+`},
		pattern{KubeProxy, `KUBE-(6-)?(LOOP-BACK|CLUSTER-IP|EXTERNAL-IP(-LOCAL)?|LOAD-BALANCER(-.+)?|NODE-PORT-.+|HEALTH-CHECK-NODE-PORT|IPVS-IPS)`},
		pattern{Calico, `cali[46]0.+|felix-.+`},
		pattern{Antrea, `ANTREA-.+`},
		pattern{KubeOVN, `ovn[46]0.+`},
		pattern{Weave, `weave-.+`},
	)
}

// linkPattern is a network link by name and by kind: a bridge that someone
// called flannel.1 is not flannel's.
type linkPattern struct {
	owner Owner
	kinds []string
	fits  string
}

// openVSwitch is the kind of a port that only Open vSwitch itself can delete.
const openVSwitch = "openvswitch"

func linkPatterns() []linkPattern {
	return []linkPattern{
		{CNIPlugins, []string{"bridge"}, `cni0`},
		{Flannel, []string{"vxlan"}, `flannel(-v6)?\.[0-9]+`},
		{Flannel, []string{"wireguard"}, `flannel-wg(-v6)?`},
		{Flannel, []string{"ipip"}, `flannel\.ipip`},
		{KubeProxy, []string{"dummy"}, `kube-ipvs0`},
		{NodeDNS, []string{"dummy"}, `nodelocaldns`},
		{Calico, []string{"veth"}, `cali[0-9a-f]{11}`},
		{Calico, []string{"vxlan"}, `vxlan(-v6)?\.calico`},
		{Calico, []string{"wireguard"}, `wireguard\.cali|wg-v6\.cali`},
		{Calico, []string{"veth", "dummy"}, `bpf(in|out)\.cali`},
		{Cilium, []string{"veth"}, `cilium_(host|net)|lxc[0-9a-f]{12}|lxc_health`},
		{Cilium, []string{"vxlan"}, `cilium_vxlan`},
		{Cilium, []string{"geneve"}, `cilium_geneve`},
		{Cilium, []string{"wireguard"}, `cilium_wg0`},
		{KubeRouter, []string{"bridge"}, `kube-bridge`},
		{KubeRouter, []string{"dummy"}, `kube-dummy-if`},
		{Antrea, []string{openVSwitch}, `antrea-(gw|tun|ingress|egress)0`},
		{KubeOVN, []string{openVSwitch}, `ovn0|mirror0`},
		{Weave, []string{"bridge"}, `weave`},
		{Weave, []string{"veth"}, `vethwe-(bridge|datapath|pcap)|vethwepl[0-9a-f]{7}`},
		{Weave, []string{"vxlan"}, `vxlan-6784`},
	}
}

// linkOwner returns whose a link is.
func linkOwner(name, kind string) Owner {
	for _, p := range linkPatterns() {
		if slices.Contains(p.kinds, kind) && compile(pattern{p.owner, p.fits}).owner(name) != Foreign {
			return p.owner
		}
	}
	return Foreign
}

// pinPatterns are names directly in /sys/fs/bpf and in its tc/globals.
func pinPatterns() patterns {
	return compile(
		pattern{Cilium, `cilium|tc/globals/cilium_.+`},
		pattern{Calico, `calico|tc/globals/(cali_.+|calico_.+)|tc/cali.*|(cali|calico|xdp_cali)_.+`},
	)
}

// mountPatterns are mounts outside of the kubelet's root. The paths are those of
// containerd's CRI plugin (containers in the namespace k8s.io, shared memory of
// sandboxes), CRI-O, and of network namespaces that CNI users name "cni-<uuid>".
func mountPatterns() patterns {
	return compile(
		pattern{Runtime, `/run/containerd/io\.containerd\.runtime\.v2\.task/k8s\.io/.+`},
		pattern{Runtime, `/run/containerd/io\.containerd\.grpc\.v1\.cri/(sandboxes|containers)/.+`},
		pattern{CNIPlugins, `(/var)?/run/netns/cni-[0-9a-f-]{36}`},
		pattern{Calico, `/run/calico/cgroup`},
		pattern{Cilium, `/run/cilium/cgroupv2`},
	)
}
