// SPDX-License-Identifier: Apache-2.0

package finding

// fromCNI001 are the explanations from CNI001 to CNI004.
func fromCNI001() []Explanation {
	return []Explanation{
		{
			ID: "CNI001", Title: "The cluster gives its nodes no pod CIDRs",
			Cause: "kubeadm init ran without --pod-network-cidr, or kube-controller-manager without " +
				"--allocate-node-cidrs. Networks that take their pods' addresses from spec.podCIDR of the Node " +
				"(flannel, Antrea, Cilium with ipam.mode=kubernetes) have none to give: flannel ends with \"pod " +
				"cidr not assigned\", Cilium waits, Calico's operator is degraded.",
			See: []string{"kubectl get nodes -o custom-columns=NAME:.metadata.name,PODS:.spec.podCIDRs",
				"kubectl -n kube-system get configmap kubeadm-config -o yaml"},
			Cure: "On each control plane, in /etc/kubernetes/manifests/kube-controller-manager.yaml: " +
				"--allocate-node-cidrs=true --cluster-cidr=RANGE. The same range belongs into podSubnet of " +
				"configmap kube-system/kubeadm-config, so that upgrades keep it.",
			Sources: []string{"flannel-io/flannel#728", "flannel-io/flannel#1558"},
		},
		{
			ID: "CNI002", Title: "A network's pool is not the cluster's pod range",
			Cause: "kube-proxy takes traffic to Services that comes from outside of its clusterCIDR for foreign, and " +
				"masquerades it: pods are seen under their node's address, and network policies by source do not " +
				"match. A typing error in one of two places is enough (10.224 for 10.244).",
			See: []string{"kubectl -n kube-system get configmap kubeadm-config kube-proxy -o yaml",
				"kubectl lifecycle cni status"},
			Cure: "Install the network with the range that kubeadm-config names. A running pool cannot be changed " +
				"under its pods: reinstall the network, node by node. Where only kube-proxy is wrong, correct " +
				"clusterCIDR in its configmap and restart it.",
			Sources: []string{"projectcalico/calico#683", "projectcalico/calico#5711", "flannel-io/flannel#1607"},
		},
		{
			ID: "CNI003", Title: "Two ranges of addresses overlap",
			Cause: "A node that has a route to the pods' range sends everything there that lies in it, also what is " +
				"for a Service, for another node, or for a host in the same building. Cilium's default pool " +
				"10.0.0.0/8 holds kubeadm's Services (10.96.0.0/12) and many an office network.",
			See: []string{"kubectl lifecycle cni status -o wide"},
			Cure: "Choose ranges that are apart before the cluster is used. In a running one, the pods' and the " +
				"Services' range can only be changed by making its nodes again.",
			Sources: []string{"cilium/cilium#10627", "projectcalico/calico#2720"},
		},
		{
			ID: "CNI004", Title: "There is a second network",
			Cause: "Each network writes its own file into /etc/cni/net.d, and the runtime takes the first by name. " +
				"Pods of different age then are in different networks, and each agent takes the other's rules and " +
				"routes away.",
			See: []string{"kubectl get daemonsets -A",
				"kubectl lifecycle cni status --look"},
			Cure: "Take one of them out (kubectl lifecycle cni uninstall), then its files in /etc/cni/net.d of each node; restart the " +
				"pods that it had given addresses to. The same network twice (an old DaemonSet in kube-system, a new one elsewhere) " +
				"leaves nothing of its own: delete one DaemonSet and restart the other; not the ClusterRole, which both may use.",
			Sources: []string{"kubernetes/kubernetes#107127", "flannel-io/flannel#1390", "flannel-io/flannel#1615"},
		},
	}
}

// fromCNI005 are the explanations from CNI005 to CNI009.
func fromCNI005() []Explanation {
	return []Explanation{
		{
			ID: "CNI005", Title: "A file in /etc/cni/net.d sorts before the network's own",
			Cause: "The runtime takes the first file by name, whichever program wrote it. kubeadm reset leaves the directory as " +
				"it is on purpose, so a host that was in another cluster, or had another network, goes on using what is gone: pods " +
				"wait for an agent that is not there, or get a dead address: one that is not of their node's pod CIDR, or that " +
				"another pod has. A bridge of an earlier network (cni0) that has kept its address does the same.",
			See: []string{"kubectl lifecycle cni status --look", "kubectl get pods -A -o wide",
				"ls /etc/cni/net.d; ip -brief address show (on the host)"},
			Cure: "Delete the file on the host, never the directory itself (see CNI006). Then restart the pods that " +
				"were made by it. An earlier network's bridge is removed while no pod is on the node: drain it, and " +
				"ip link delete cni0; the next pod makes it again.",
			Sources: []string{"kubernetes/kubernetes#83950", "k0sproject/k0s#823", "flannel-io/flannel#1437", "containernetworking/plugins#629"},
		},
		{
			ID: "CNI006", Title: "The runtime has not seen the network's configuration",
			Cause: "containerd watches the directory. When the directory itself is removed, containerd 1.x never sees " +
				"a new file in it and says \"cni plugin not initialized\" although the agent is ready; containerd " +
				"2.0 and later ends. Where only the file was deleted, an agent such as flannel's, which writes it once, does not write it " +
				"again until it starts again.",
			See: []string{"kubectl get nodes",
				"kubectl lifecycle cni status --look",
				"ls -ld /etc/cni/net.d (on the host)"},
			Cure: "If the file is gone, have the agent of that node start again (kubectl delete pod). If it is there, restart the runtime " +
				"on that node (systemctl restart containerd); running containers stay. Delete files in /etc/cni/net.d, never the directory.",
			Sources: []string{"containerd/containerd#6490", "containerd/containerd#11209", "containerd/containerd#10646"},
		},
		{
			ID: "CNI007", Title: "The runtime does not find the network's plugin",
			Cause: "The agent puts its program into /opt/cni/bin, and the runtime looks where its configuration says: " +
				"Debian's packages have /usr/lib/cni, others /usr/libexec/cni.",
			See: []string{"kubectl get events -A --field-selector reason=FailedCreatePodSandBox",
				"containerd config dump | grep bin_dir (on the host)"},
			Cure: "Set the runtime's bin_dirs to /opt/cni/bin, or the agent's directory to the runtime's, and " +
				"restart the runtime.",
			Sources: []string{"projectcalico/calico#9336"},
		},
		{
			ID: "CNI008", Title: "br_netfilter or a reference plugin is missing",
			Cause: "flannel needs the kernel's br_netfilter, for which kubeadm does not look any more since 1.30, and " +
				"the programs bridge, host-local, loopback and portmap, which come with a package of their own.",
			See: []string{"kubectl lifecycle cni status --look",
				"ls /opt/cni/bin; ls /proc/sys/net/bridge (on the host)"},
			Cure:    "modprobe br_netfilter, and a line in /etc/modules-load.d; install containernetworking-plugins.",
			Sources: []string{"flannel-io/flannel#2068", "flannel-io/flannel#2166", "flannel-io/flannel#1730"},
		},
		{
			ID: "CNI009", Title: "Services have no proxy, or two",
			Cause: "A cluster without kube-proxy needs a network that does its work, with the address of the API " +
				"server given to it, because the Service kubernetes cannot be reached before it runs. With both, " +
				"rules of the one stay in the packet filter and answer for Services that have changed.",
			See: []string{"kubectl -n kube-system get daemonset kube-proxy",
				"kubectl -n kube-system get configmap cilium-config -o yaml"},
			Cure: "Decide for one of them: kubeadm init phase addon kube-proxy, or kubeProxyReplacement=true with " +
				"k8sServiceHost and k8sServicePort. After kube-proxy was deleted, restart the nodes one by one.",
			Sources: []string{"kubernetes/kubernetes#119265"},
		},
	}
}

// fromCNI010 are the explanations from CNI010 to CNI014.
func fromCNI010() []Explanation {
	return []Explanation{
		{
			ID: "CNI010", Title: "Pods from before the network, or that wait for it",
			Cause: "CoreDNS is Pending in a new cluster: that is expected until there is a network. Pods that were " +
				"made by an earlier network keep its addresses, to which no route leads any more.",
			See: []string{"kubectl get pods -A -o wide",
				"kubectl lifecycle cni status"},
			Cure:    "Restart them by their controllers, within their budgets.",
			Sources: []string{"cilium/cilium#15810", "cilium/cilium#17292"},
		},
		{
			ID: "CNI011", Title: "The kernel is too old for the network",
			Cause: "A network that works in the kernel needs what older ones do not have: Cilium needs 5.10 (4.18 of " +
				"RHEL 8.10).",
			See:     []string{"kubectl get nodes -o wide"},
			Cure:    "Upgrade the kernel of these hosts, or choose another network.",
			Sources: []string{"https://docs.cilium.io/en/stable/operations/system_requirements"},
		},
		{
			ID: "CNI012", Title: "The image of an agent cannot be pulled",
			Cause: "A host without the internet, a mirror that does not have the image, a certificate that the " +
				"runtime does not know, a missing pull secret. Without its agent, a node has no network.",
			See: []string{"kubectl describe pod of the agent",
				"crictl pull IMAGE (on the host)"},
			Cure: "Let the nodes reach the registry that the message names, import the image on them, or name " +
				"another place for it in the values of the chart.",
			Sources: []string{"rustfs/rustfs#1123"},
		},
		{
			ID: "CNI013", Title: "An operator's second pod finds no node",
			Cause: "Charts ask for two pods of the operator that may not share a node. On one node the second one is " +
				"Pending for ever; the network works all the same.",
			See:     []string{"kubectl get pods -A --field-selector status.phase=Pending"},
			Cure:    "operator.replicas=1 (Cilium), or its like in another chart.",
			Sources: []string{"https://docs.cilium.io/en/stable/gettingstarted/k8s-install-default"},
		},
		{
			ID: "CNI014", Title: "A Helm release is unfinished, or there is none",
			Cause: "Helm was interrupted and left the release pending: it refuses every other operation on it. Or the " +
				"network was applied as manifests, and no release says with which values.",
			See: []string{"helm list -A --all",
				"kubectl get daemonsets -A -o yaml"},
			Cure: "kubectl lifecycle cni install resumes an unfinished release. What was applied as manifests stays " +
				"as it is, unless the manifests are deleted first.",
			Sources: []string{"helm/helm#8987", "helm/helm#10599"},
		},
	}
}
