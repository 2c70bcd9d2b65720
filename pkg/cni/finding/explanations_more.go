// SPDX-License-Identifier: Apache-2.0

package finding

// fromCNI015 are the explanations from CNI015 to CNI018.
func fromCNI015() []Explanation {
	return []Explanation{
		{
			ID: "CNI015", Title: "The overlay's port is closed between nodes",
			Cause: "Pods on one node reach each other, and those of two nodes do not: a packet filter between the " +
				"hosts drops what carries the pods' packets: UDP 8472 (VXLAN of flannel and Cilium), UDP 4789 " +
				"(VXLAN of Calico), UDP 6081 (Geneve of Antrea and Kube-OVN), TCP 179 (BGP), IP protocol 4 (IPIP).",
			See: []string{"kubectl lifecycle cni test",
				"tcpdump -ni any udp port 8472 (on both hosts)"},
			Cure: "Open the overlay's port between these nodes (UDP 8472 of flannel and Cilium, 4789 of Calico, 6081 of Antrea and " +
				"Kube-OVN), on the hosts and in what is between them (security groups, switches).",
			Sources: []string{"flannel-io/flannel#1039"},
		},
		{
			ID: "CNI016", Title: "Packets of the pods' MTU do not arrive",
			Cause: "The pods' interfaces take packets that are too long for the way once the overlay has wrapped them " +
				"(VXLAN adds 50 bytes, WireGuard 60 or 80). Small packets pass, long ones vanish: connections open " +
				"and then hang.",
			See: []string{"kubectl lifecycle cni test",
				"ip link show (in a pod, and on the host)"},
			Cure: "Set the network's MTU to that of the hosts' interface less what the overlay adds, in the values " +
				"of the chart; pods get it when they are made.",
			Sources: []string{"https://github.com/flannel-io/flannel/blob/master/Documentation/troubleshooting.md"},
		},
		{
			ID: "CNI017", Title: "A running network would be given another pool or IPAM mode",
			Cause: "Nodes and pods keep the addresses that they have; new ones come from elsewhere, and routes and " +
				"rules fit neither. Cilium keeps the old range in each CiliumNode.",
			See: []string{"kubectl -n kube-system get configmap cilium-config -o yaml",
				"kubectl get ciliumnodes"},
			Cure:    "Keep the pool of a running network. To change it, reinstall the network, node by node.",
			Sources: []string{"cilium/cilium#13766"},
		},
		{
			ID: "CNI018", Title: "Agents have told each other the wrong addresses",
			Cause: "flannel takes the interface of the default route. On hosts with several (Vagrant's NAT, a network " +
				"for storage) that is often one on which other nodes cannot be reached, or has the same address " +
				"everywhere. Hosts that were copied from one image have one machine-id, and so one hardware " +
				"address.",
			See: []string{"kubectl get nodes -o yaml | grep flannel.alpha",
				"kubectl lifecycle cni status"},
			Cure: "--set 'flannel.args={--ip-masq,--kube-subnet-mgr,--iface=eth1}', or the annotation " +
				"flannel.alpha.coreos.com/public-ip-overwrite; a new /etc/machine-id for copied hosts.",
			Sources: []string{"flannel-io/flannel#535", "flannel-io/flannel#1155", "kubernetes/kubeadm#139"},
		},
	}
}

// fromCNI019 are the explanations from CNI019 to CNI023.
func fromCNI019() []Explanation {
	return []Explanation{
		{
			ID: "CNI019", Title: "A node has no pod CIDR",
			Cause: "The range is full (10.244.0.0/16 with /24 a node is enough for 256 nodes), or " +
				"kube-controller-manager does not give ranges out. The agent of that node never becomes ready.",
			See: []string{"kubectl get nodes -o custom-columns=NAME:.metadata.name,PODS:.spec.podCIDRs",
				"kubectl get events -A --field-selector reason=CIDRNotAvailable"},
			Cure: "Remove nodes that are gone, so that their ranges are free; or correct kube-controller-manager. In " +
				"a dual-stack cluster a node needs one of each family.",
			Sources: []string{"kubernetes/kubernetes#114560", "kubernetes/kubernetes#91884", "flannel-io/flannel#2225"},
		},
		{
			ID: "CNI020", Title: "The network is managed by another tool",
			Cause: "Flux or Argo CD puts back what is changed elsewhere, at its next interval or at once. Two " +
				"managers of one release undo each other's work.",
			See:     []string{"kubectl get daemonsets -A -o yaml | grep -e fluxcd -e argocd"},
			Cure:    "Change the values where that tool takes them from.",
			Sources: []string{"flannel-io/flannel#2096"},
		},
		{
			ID: "CNI021", Title: "A node of a dual-stack cluster has addresses of one family",
			Cause: "The kubelet was given one --node-ip, or found no default route of the other family. Pods there " +
				"have addresses of both, and packets of the missing one do not leave the node.",
			See:     []string{"kubectl get nodes -o wide"},
			Cure:    "--node-ip=IPv4,IPv6 for the kubelet of that node, and a restart of it.",
			Sources: []string{"kubernetes/kubernetes#100675", "k3s-io/k3s#10726"},
		},
		{
			ID: "CNI022", Title: "A node does not answer",
			Cause: "Its kubelet has stopped reporting, or the node is being deleted, or was given up. Nothing can be " +
				"expected of its agent now; the rest of the network does not wait for it.",
			See: []string{"kubectl get nodes",
				"kubectl describe node NODE"},
			Cure:    "Bring it back, and it is served by itself; or remove it (kubectl lifecycle remove --node-lost).",
			Sources: []string{"kubernetes/kubeadm#539"},
		},
		{
			ID: "CNI023", Title: "/opt/cni/bin is not root's, or nothing may run there",
			Cause: "The first containers of an agent have given up all capabilities: user 0 without them cannot write " +
				"into a directory of another owner. On a file system that is mounted noexec, the runtime cannot " +
				"start the plugin.",
			See:     []string{"ls -ld /opt/cni/bin; findmnt -T /opt/cni/bin (on the host)"},
			Cure:    "chown root:root /opt/cni/bin; chmod 755 /opt/cni/bin; mount -o remount,exec for its file system.",
			Sources: []string{"cilium/cilium#23838", "projectcalico/cni-plugin#891"},
		},
	}
}

// fromCNI024 are the explanations from CNI024 to CNI028.
func fromCNI024() []Explanation {
	return []Explanation{
		{
			ID: "CNI024", Title: "A custom resource's definition is missing",
			Cause: "Calico from 3.32 on has its definitions in a chart of their own, which must be applied before the " +
				"operator's; Helm does not touch definitions on an upgrade.",
			See: []string{"kubectl get customresourcedefinitions",
				"kubectl logs of the operator"},
			Cure:    "Apply the chart of definitions first, server-side.",
			Sources: []string{"projectcalico/calico#12860", "projectcalico/calico#7978"},
		},
		{
			ID: "CNI025", Title: "No node is labelled for the network's databases",
			Cause: "Kube-OVN's databases run on nodes with a label: that of its value masterNodesLabels, which this program sets to the " +
				"one that kubeadm gives to control planes, else kube-ovn/role=master. Without such a node, ovn-central is Pending, or the " +
				"chart cannot be rendered.",
			See:     []string{"kubectl get nodes --show-labels"},
			Cure:    "Label each control plane with what the values name (kubectl label node), or leave masterNodesLabels out.",
			Sources: []string{"kubeovn/kube-ovn#1659"},
		},
		{
			ID: "CNI026", Title: "The kernel has no Open vSwitch",
			Cause: "Antrea and Kube-OVN move packets by the kernel's module openvswitch. Kernels of clouds and of " +
				"small images leave it out; an Open vSwitch of the host, or of an earlier network, may hold its " +
				"database.",
			See: []string{"modinfo openvswitch (on the host)",
				"ls /var/run/openvswitch (on the host)"},
			Cure:    "Install the package of the kernel's modules; or choose another network.",
			Sources: []string{"antrea-io/antrea#2635", "antrea-io/antrea#6028"},
		},
		{
			ID: "CNI027", Title: "The Secret with which images are pulled is missing",
			Cause: "imagePullSecrets names a Secret of the agents' own namespace. Where it is not there, the kubelet " +
				"pulls without it, and a private registry refuses.",
			See:     []string{"kubectl -n NAMESPACE get secrets"},
			Cure:    "Make the Secret in that namespace before the chart is installed.",
			Sources: []string{"flannel-io/flannel#1842"},
		},
		{
			ID: "CNI028", Title: "Another program has the network's port",
			Cause: "The agent listens on ports of the host. Where another program has one of them, the agent crashes, " +
				"or its overlay does not come up.",
			See:     []string{"ss -lntup (on the host)"},
			Cure:    "Stop that program, or give the network another port in the values of its chart.",
			Sources: []string{"https://github.com/flannel-io/flannel/blob/master/Documentation/configuration.md"},
		},
	}
}
