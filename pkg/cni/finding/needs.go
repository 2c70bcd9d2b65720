// SPDX-License-Identifier: Apache-2.0

package finding

// port is one that a network's agent listens on, on each host.
type port struct {
	proto  string
	number int
	what   string
}

// needs are what a network needs of its cluster and its hosts.
type needs struct {
	// nodeCIDRs says that it takes its pods' addresses from the nodes' pod CIDRs.
	nodeCIDRs bool
	// kernel is the oldest that it runs on; zero for any that Kubernetes runs on.
	kernel [2]int
	// config is the file that its agent writes into /etc/cni/net.d.
	config string
	// plugins are programs in /opt/cni/bin that it does not bring itself.
	plugins []string
	// netfilter says that it wants br_netfilter, ovs the module openvswitch.
	netfilter, ovs bool
	ports          []port
}

// needsOf says what a network needs, as its documentation of 2026 says; none for
// one that is not known.
func needsOf(name string) needs {
	switch name {
	case "flannel":
		return needs{nodeCIDRs: true, config: "10-flannel.conflist", netfilter: true,
			plugins: []string{"bridge", "host-local", "loopback", "portmap"},
			ports:   []port{{"udp", 8472, "VXLAN"}, {"tcp", 8081, "its health checks"}}}
	case "canal":
		return needs{nodeCIDRs: true, config: "10-canal.conflist", netfilter: true}
	case "cilium":
		return needs{kernel: [2]int{5, 10}, config: "05-cilium.conflist",
			ports: []port{{"udp", 8472, "VXLAN"}, {"tcp", 4240, "its health checks"}}}
	case "calico":
		return needs{config: "10-calico.conflist",
			ports: []port{{"udp", 4789, "VXLAN"}, {"tcp", 179, "BGP"}, {"tcp", 9099, "its health checks"}}}
	case "antrea":
		return needs{nodeCIDRs: true, config: "10-antrea.conflist", ovs: true,
			ports: []port{{"udp", 6081, "Geneve"}, {"tcp", 10350, "its API"}}}
	case "kube-ovn":
		return needs{config: "01-kube-ovn.conflist", ovs: true, ports: []port{{"udp", 6081, "Geneve"}, {"tcp", 10665, "its health checks"}}}
	case "weave":
		return needs{config: "10-weave.conflist"}
	case "kube-router":
		return needs{nodeCIDRs: true, config: "10-kuberouter.conflist"}
	case "kindnet":
		return needs{nodeCIDRs: true, config: "10-kindnet.conflist"}
	}
	return needs{}
}

// Config is the file that a network's agent writes into /etc/cni/net.d; empty if it
// is not known.
func Config(network string) string { return needsOf(network).config }

// Ports are what a host is asked for, so that one that another program has taken is
// found: "udp/8472".
func Ports() []int {
	var out []int
	for _, name := range []string{"flannel", "cilium", "calico", "antrea", "kube-ovn"} {
		for _, p := range needsOf(name).ports {
			out = append(out, p.number)
		}
	}
	return out
}

// takesNodeCIDRs says whether a network that is there takes its addresses from the
// nodes' pod CIDRs: by its own word where it has several ways (Cilium).
func takesNodeCIDRs(name, ipam string) bool {
	return needsOf(name).nodeCIDRs || name == "cilium" && ipam == "kubernetes"
}
