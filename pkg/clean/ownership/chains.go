// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"regexp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Chains are the iptables chains of Kubernetes and its networks. An unknown KUBE-something
// is foreign, and named: a name that is only alike proves nothing.
func Chains() Names {
	return Names{
		kind:  inventory.KindChain,
		known: compile(append(kubernetesChains(), networkChains()...)...),
		paired: compile(
			// Submariner's, which joins this cluster's networks to another's (pkg/routeagent_driver/constants,
			// pkg/packetfilter/iptables, pkg/globalnet/constants, 0.1 to 0.20).
			pattern{inventory.Submariner, `SUBMARINER-(INPUT|POSTROUTING|FORWARD|GN-(INGRESS|EGRESS|MARK))|SM-GN-EGRESS-(PODS|NS)`},
		),
		claimed: compile(
			// Felix deletes what begins so (felix/iptables/table.go, ourChainsRegexp, with
			// AllHistoricChainNamePrefixes, 3.31), policies with names that are short enough among it.
			pattern{inventory.Calico, `(cali|felix)-.+|cali(fw|tw|fh|th|pi|po)-.+`},
			// kube-router does (pkg/controllers/netpol/npc_iptables.go, cleanupStaleRules, 2.9).
			pattern{inventory.KubeRouter, `KUBE-(POD-FW|NWPLCY)-.+`},
			// istio-cni's on the host, for probes of the kubelet's (cni/pkg/iptables, ChainHostPostrouting).
			pattern{inventory.Istio, `ISTIO_POSTRT`},
		),
		alike: compile(
			pattern{inventory.KubeRouter, `KUBE-ROUTER-.+`},
			pattern{inventory.Cilium, `(OLD_)?CILIUM_.+`},
			pattern{inventory.Antrea, `ANTREA-.+`},
			pattern{inventory.PodNetwork, `OVN-KUBE-.+`},
			pattern{inventory.KubeOVN, `OVN-.+`},
			pattern{inventory.Weave, `WEAVE-.+`},
			pattern{inventory.Kilo, `KILO-.+`},
			pattern{inventory.Flannel, `FLANNEL-.+`},
			pattern{inventory.Istio, `ISTIO_.+|ztunnel-.+`},
			pattern{inventory.Runtime, `CRIO-.+`},
			pattern{inventory.Submariner, `SUBMARINER-.+|SM-GN-.+`},
			pattern{inventory.Kubelet, `KUBE-.+`},
		),
	}
}

// kubernetesChains are Kubernetes' own and those of the standard plugins (Kubernetes 1.36
// pkg/kubelet/kubelet_network_linux.go, pkg/proxy/{iptables,ipvs}, where a hash is 16
// characters of base32; containernetworking/plugins 1.9), and what maps host ports without
// a plugin: the kubelet with dockershim (pkg/kubelet/dockershim/network/hostport, to 1.23)
// and CRI-O, which has its code (internal/hostport).
func kubernetesChains() []pattern {
	return []pattern{
		{inventory.Kubelet, `KUBE-(FIREWALL|MARK-MASQ|MARK-DROP|POSTROUTING|IPTABLES-HINT|KUBELET-CANARY)`},
		{inventory.KubeProxy, `KUBE-(SERVICES|EXTERNAL-SERVICES|NODEPORTS|FORWARD|PROXY-FIREWALL|PROXY-CANARY|` +
			`LOAD-BALANCER|NODE-PORT|SOURCE-RANGES-FIREWALL)`},
		{inventory.KubeProxy, `KUBE-(SVC|SVL|EXT|SEP|FW|XLB)-[A-Z2-7]{16}`},
		{inventory.KubeProxy, `KUBE-IPVS-(FILTER|OUT-FILTER|IPS)`},
		{inventory.Runtime, `KUBE-HOSTPORTS|CRIO-HOSTPORTS-MASQ|(KUBE-HP|CRIO-MASQ)-[A-Z2-7]{16}`},
		{inventory.CNIPlugins, `CNI-(HOSTPORT-(DNAT|SNAT|SETMARK|MASQ)|FORWARD|ADMIN|ISOLATION-STAGE-[12])`},
		{inventory.CNIPlugins, ContainerChain().String()},
	}
}

// networkChains are those of the networks, by their sources:
//   - kube-router pkg/controllers/{netpol,proxy} (0.0.10 to 2.9; names of hashes in netpol/policy.go and pod.go)
//   - flannel pkg/trafficmngr/iptables (0.28)
//   - Calico felix/rules/rule_defs.go and dispatch.go (3.8 to 3.31): fixed names; dispatch chains and their
//     branches; chains of workloads by their link (the prefixes of its own, AWS' and Azure's links), of policies by
//     a hash (libcalico-go/lib/hash, which begins it with "_"), of the profiles that Kubernetes' namespaces and
//     service accounts become
//   - Cilium pkg/datapath/iptables/iptables.go (1.5 to 1.19): OLD_ while it puts new ones in place
//   - Antrea pkg/agent/route/route_linux.go, pkg/agent/nodeportlocal/rules, pkg/agent/config/node_config.go (0.9 to
//     2.4; a rule's id is 16 hexadecimal digits: pkg/agent/controller/networkpolicy/cache.go)
//   - Kube-OVN pkg/util/const.go (1.2 to 1.15; the end of a subnet's UID: pkg/util/k8s.go)
//   - OVN-Kubernetes go-controller/pkg/node (OVN-KUBE-…)
//   - Weave common/chains/npc.go, net/bridge.go, net/ipsec/ipsec.go, prog/weaver/main.go (1.9 to 2.8)
//   - Kilo pkg/mesh/routes.go, pkg/encapsulation (0.1 to 0.7; it has no ip sets of its own)
func networkChains() []pattern {
	return []pattern{
		{inventory.KubeRouter, `KUBE-ROUTER-(INPUT|FORWARD|OUTPUT|SERVICES|HAIRPIN)`},
		{inventory.KubeRouter, `KUBE-NWPLCY-(DEFAULT|COMMON|TAIL)|KUBE-(POD-FW|NWPLCY)-[A-Z2-7]{16}`},
		{inventory.Flannel, `FLANNEL-(POSTRTG|FWD)`},
		{inventory.Calico, `cali-(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING|RPF|rpf|rpf-skip|untracked-(flows|policy)|failsafe-(in|out)|` +
			`nat-outgoing|egress-dscp|fip-[ds]nat|cidr-block|wl-to-host|arp-dispatch|forward-(check|endpoint-mark)|wireguard-incoming-mark)`},
		{inventory.Calico, `cali-((from|to)-(wl-dispatch|host-endpoint|hep-forward)|(set|from)-endpoint-mark)(-.{1,15})?`},
		{inventory.Calico, `cali-(fw|tw|sm|arp)-((cali|eni|azv)[0-9a-f]{11}|tap[0-9a-f]{8}-[0-9a-f]{2})`},
		{inventory.Calico, `cali-(p[io]|pr[io]|g[io])-_[A-Za-z0-9_-]{12,}|cali-pr[io]-_?(kns|ksa)\..+`},
		{inventory.Cilium, `(OLD_)?CILIUM_(INPUT|OUTPUT(_raw|_nat)?|POST(_nat|_mangle)?|PRE_(nat|mangle|raw)|FORWARD|TRANSIENT_FORWARD)`},
		{inventory.Antrea, `ANTREA-(FORWARD|PREROUTING|POSTROUTING|INPUT|OUTPUT|MANGLE|NODE-PORT-LOCAL|` +
			`POL-(PRE-)?(IN|E)GRESS-RULES|POL-[0-9A-F]{16})`},
		{inventory.PodNetwork, `OVN-KUBE-(NODEPORT|EXTERNALIP|ETP|ITP|EGRESS-SVC|EGRESS-IP-MULTI-NIC|SNAT-MGMTPORT)`},
		{inventory.KubeOVN, `OVN-(PREROUTING|POSTROUTING|OUTPUT|MASQUERADE|NAT-POLICY|NAT-PSUBNET-[0-9a-f]{12})`},
		{inventory.Weave, `WEAVE(-(NPC(-(DEFAULT|INGRESS|EGRESS(-(DEFAULT|CUSTOM|ACCEPT))?))?|EXPOSE|CANARY|IPSEC-(IN|OUT)(-MARK)?))?`},
		{inventory.Kilo, `KILO-(NAT|IPIP|MARK)`},
	}
}

// The firewall plugin makes AdminChain, empty, for administrators' rules about what
// containers send, and leads to it from FirewallChain (containernetworking/plugins
// plugins/meta/firewall, 1.9). No other chain of the networks is for administrators:
// Weave's WEAVE-NPC-EGRESS-CUSTOM holds network policies.
const (
	AdminChain    = "CNI-ADMIN"
	FirewallChain = "CNI-FORWARD"
)

// ContainerChain fits the chains that a standard CNI plugin makes for a single
// container: masquerading, and port mappings of two ages of the plugins.
func ContainerChain() *regexp.Regexp { return regexp.MustCompile(`^CNI-((DN|SN)-)?[0-9a-f]{20,}$`) }
