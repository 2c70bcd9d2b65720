// SPDX-License-Identifier: Apache-2.0

package networks

import "slices"

// Network is a pod network.
type Network struct {
	// Name is what commands and objects call it, Title what a sentence does.
	Name, Title string
	// DaemonSet is its agents'. It is in kube-system, or in one of the namespaces that
	// are the network's own.
	DaemonSet  string
	Namespaces []string
	// CNI is the name that it gives to its CNI network on a host, Conflist the file in
	// /etc/cni/net.d that says so. CNI is empty where another network uses the same.
	CNI, Conflist string
	// Modules have to be in the kernel or loaded.
	Modules []string
	// NodeCIDRs: its pods' addresses come from the nodes' pod CIDRs, whatever its values.
	NodeCIDRs bool
	// Ports are those that its agents open on hosts.
	Ports []Port
}

// Port is one that an agent listens on.
type Port struct {
	Number int
	// Protocol is "TCP" or "UDP".
	Protocol, For string
	// Between says that nodes send each other packets there, which a firewall has to let
	// through.
	Between bool
}

// Known lists the networks that are known, those that can be installed first.
func Known() []Network {
	return append([]Network{cilium(), calico(), flannel(), antrea(), kubeOVN()}, others()...)
}

// Find returns the network of a name.
func Find(name string) (Network, bool) {
	all := Known()
	i := slices.IndexFunc(all, func(n Network) bool { return n.Name == name })
	if i < 0 {
		return Network{}, false
	}
	return all[i], true
}

func cilium() Network {
	return Network{
		Name: "cilium", Title: "Cilium", DaemonSet: "cilium", Namespaces: []string{"cilium", "cilium-system"},
		CNI: "cilium", Conflist: "05-cilium.conflist",
		Ports: []Port{
			{8472, "UDP", "VXLAN", true}, {4240, "TCP", "health checks between nodes", true}, {4244, "TCP", "Hubble", false},
			{9878, "TCP", "Envoy's health", false}, {9879, "TCP", "the agent's health", false}, {9234, "TCP", "the operator's health", false},
		},
	}
}

func calico() Network {
	return Network{
		Name: "calico", Title: "Calico", DaemonSet: "calico-node", Namespaces: []string{"calico-system"},
		CNI: "k8s-pod-network", Conflist: "10-calico.conflist",
		Ports: []Port{
			{4789, "UDP", "VXLAN", true}, {5473, "TCP", "Typha", true}, {179, "TCP", "BGP, where it is on", true},
			{9099, "TCP", "the agent's health", false},
		},
	}
}

func flannel() Network {
	return Network{
		Name: "flannel", Title: "flannel", DaemonSet: "kube-flannel-ds", Namespaces: []string{"kube-flannel"},
		CNI: "cbr0", Conflist: "10-flannel.conflist", NodeCIDRs: true,
		Modules: []string{"br_netfilter"}, // flannel#2068: kubeadm 1.30 looks for it no longer
		Ports:   []Port{{8472, "UDP", "VXLAN", true}, {8081, "TCP", "the agent's health, where flannel.healthz is on", false}},
	}
}

func antrea() Network {
	return Network{
		Name: "antrea", Title: "Antrea", DaemonSet: "antrea-agent", CNI: "antrea", Conflist: "10-antrea.conflist", NodeCIDRs: true,
		Modules: []string{"openvswitch"},
		Ports: []Port{
			{6081, "UDP", "Geneve", true}, {10349, "TCP", "the controller's API", true}, {10350, "TCP", "the agent's API", true},
			{10351, "TCP", "agents among themselves", true}, {10351, "UDP", "agents among themselves", true},
		},
	}
}

func kubeOVN() Network {
	return Network{
		Name: "kube-ovn", Title: "Kube-OVN", DaemonSet: "kube-ovn-cni", CNI: "kube-ovn", Conflist: "01-kube-ovn.conflist",
		Modules: []string{"openvswitch", "geneve", "ip_tables", "iptable_nat"},
		Ports: []Port{
			{6081, "UDP", "Geneve", true}, {6641, "TCP", "OVN's northbound database", true}, {6642, "TCP", "OVN's southbound database", true},
			{6643, "TCP", "the databases among themselves", true}, {6644, "TCP", "the databases among themselves", true},
			{10660, "TCP", "the controller", false}, {10661, "TCP", "the monitor", false}, {10665, "TCP", "the agent", false},
		},
	}
}

// others are those that can only be recognised, as their manifests of 2026 write them.
// Canal is made of flannel and Calico, and calls its CNI network as Calico does.
func others() []Network {
	return []Network{
		{Name: "canal", Title: "Canal", DaemonSet: "canal", Conflist: "10-canal.conflist", Modules: []string{"br_netfilter"}, NodeCIDRs: true,
			Ports: []Port{{8472, "UDP", "VXLAN", true}}},
		{Name: "weave", Title: "Weave Net", DaemonSet: "weave-net", CNI: "weave", Conflist: "10-weave.conflist"},
		{Name: "kube-router", Title: "kube-router", DaemonSet: "kube-router", Conflist: "10-kuberouter.conflist", NodeCIDRs: true},
		{Name: "kilo", Title: "Kilo", DaemonSet: "kilo", CNI: "kilo", Conflist: "10-kilo.conflist", NodeCIDRs: true,
			Ports: []Port{{51820, "UDP", "WireGuard", true}, {1107, "TCP", "the agent's metrics", false}}},
		{Name: "kindnet", Title: "kindnet", DaemonSet: "kindnet", Conflist: "10-kindnet.conflist", NodeCIDRs: true},
	}
}
