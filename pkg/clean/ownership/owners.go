// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"regexp"
	"slices"
	"strings"

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

// Comments are rules outside of own chains that say whose they are, and are
// believed where their owner has another sign on this host. Cilium's all jump to
// chains of its own, by which one knows them: "cilium: …" may be an administrator's.
func Comments() patterns {
	return compile(
		pattern{inventory.Flannel, `flanneld (masq|forward)`},
		pattern{inventory.Calico, `cali:[A-Za-z0-9_-]{16}`},
		pattern{inventory.KubeRouter, `kube-router netpol.*`},
		pattern{inventory.NodeDNS, `NodeLocal DNS Cache.*`},
		pattern{inventory.Kilo, `Kilo: (jump to (KILO-NAT|NAT|IPIP) chain|(allow|reject other) IPIP traffic|forward packets (from|to) ` +
			`(the pod subnet|allowed location IPs|private IPs|the node's pod subnet))`},
	)
}

// Tables are native nft tables that belong to one owner entirely; the
// family is part of the name.
func Tables() patterns {
	return compile(
		pattern{inventory.KubeProxy, `ip6? kube-proxy`},
		pattern{inventory.Flannel, `ip flannel-ipv4|ip6 flannel-ipv6`},
		pattern{inventory.Runtime, `ip6? crio-hostports`}, // CRI-O internal/hostport/hostport_nftables.go
		pattern{inventory.CNIPlugins, `inet cni_plugins_masquerade|ip6? cni_hostport`},
		pattern{inventory.Calico, `ip6? calico|arp calico(-arp)?`},
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
		// Of pods with a limit of bandwidth: the plugin's, and Calico's own, which Felix
		// leaves that does not run when a pod ends (projectcalico/calico#13986).
		{inventory.CNIPlugins, []string{"ifb"}, `bwp[0-9a-f]{12}`},
		{inventory.Calico, []string{"ifb"}, `bwcali[0-9a-f]{9}`},
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
		// It has the standard plugin make kube-bridge, too (manifests/kilo-kubeadm.yaml), which is kube-router's by name.
		{inventory.Kilo, []string{"wireguard"}, `kilo0`},
		// pkg/routeagent_driver/handlers/kubeproxy, and the cable driver with WireGuard (0.1 to 0.20).
		{inventory.Submariner, []string{"vxlan"}, `vx-submariner(-v6)?`},
		{inventory.Submariner, []string{"wireguard"}, `submariner`},
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

// LinkNamed returns whose a link of a name would be, of whatever kind it is: of a rule nothing
// else is known. "cali+" stands for all that begin so.
func LinkNamed(name string) inventory.Owner {
	begin, all := strings.CutSuffix(name, "+")
	for _, p := range linkPatterns() {
		if !all && compile(pattern{p.owner, p.fits}).Owner(name) != inventory.Foreign {
			return p.owner
		}
		if words, _, _ := strings.Cut(p.fits, "["); all && len(begin) > 2 && begin == regexp.MustCompile(`\W`).ReplaceAllString(words, "") {
			return p.owner
		}
	}
	return inventory.Foreign
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
