// SPDX-License-Identifier: Apache-2.0

package finding

// fromCNI029 are the explanations from CNI029 on: what a probe sees, and what a chart
// says of Kubernetes.
func fromCNI029() []Explanation {
	return []Explanation{
		{
			ID: "CNI029", Title: "Names are not resolved",
			Cause: "Pods ask CoreDNS by its Service. Without a CoreDNS pod that is available the Service answers nothing; with one, " +
				"packets from other nodes may not arrive (CNI015), kube-proxy may not lead to it (CNI009), or CoreDNS itself finds its " +
				"own upstream in a loop.",
			See: []string{"kubectl -n kube-system get deployment,pods -l k8s-app=kube-dns -o wide",
				"kubectl -n kube-system logs -l k8s-app=kube-dns", "kubectl lifecycle cni test"},
			Cure: "kubectl -n kube-system scale deployment coredns --replicas=2 where it was scaled to none; otherwise what its pods " +
				"wait for: kubectl -n kube-system describe pods -l k8s-app=kube-dns.",
			Sources: []string{"kubernetes/kubeadm#193", "coredns/coredns#2087"},
		},
		{
			ID: "CNI030", Title: "A hostPort leads nowhere",
			Cause: "The network serves ports of hosts itself (Cilium in kube-proxy's place), or calls the plugin portmap for it. A " +
				"configuration without portmap, or a host without the program, leaves the port closed; Cilium beside kube-proxy serves " +
				"none unless it is told to chain portmap. A packet filter of the host may also close the port.",
			See: []string{"kubectl lifecycle cni test", "cat /etc/cni/net.d/*; ls /opt/cni/bin (on the host)"},
			Cure: "Use a Service of type NodePort, or have the network serve hostPorts: cni.chainingMode=portmap (Cilium beside " +
				"kube-proxy).",
			Sources: []string{"https://docs.cilium.io/en/stable/installation/cni-chaining-portmap", "flannel-io/flannel#1715"},
		},
		{
			ID: "CNI031", Title: "Pods of one node do not reach each other",
			Cause: "The node's bridge or the network's own programs do not pass packets on: the packet filter drops what is forwarded " +
				"(policy DROP of FORWARD, as Docker sets it), ip_forward is off, or a NetworkPolicy denies everything in kube-system.",
			See: []string{"iptables -S FORWARD; sysctl net.ipv4.ip_forward (on the host)", "kubectl -n kube-system get networkpolicies",
				"kubectl lifecycle cni test NODE"},
			Cure: "sysctl -w net.ipv4.ip_forward=1; iptables -P FORWARD ACCEPT, or a rule for the pods' range; exempt pods labelled " +
				"lifecycle.kubectl.io/probe from the policy.",
			Sources: []string{"kubernetes/kubernetes#40182", "flannel-io/flannel#799"},
		},
		{
			ID: "CNI032", Title: "The network is not tested with this Kubernetes",
			Cause: "The network's project tests a line of its chart with some versions of Kubernetes. With another one it often works; " +
				"what fails then is not found by its tests.",
			See:     []string{"kubectl lifecycle cni versions NAME", "kubectl version"},
			Cure:    "Choose a line that is tested with it: --version.",
			Sources: []string{"https://docs.cilium.io/en/stable/network/kubernetes/compatibility"},
		},
		{
			ID: "CNI033", Title: "The network is being deleted",
			Cause: "A namespace that was deleted stays until all that is in it is gone, and takes nothing new: an object with a finalizer " +
				"whose controller does not run, or an API that does not answer, keeps it for ever. The agents go first.",
			See: []string{"kubectl get namespaces", "kubectl get namespace NAMESPACE -o yaml (status.conditions)"},
			Cure: "Bring back the controller or the API that the conditions name; then install the network again. A finalizer is removed " +
				"by hand only if its controller is gone for good.",
			Sources: []string{"flannel-io/flannel#1740", "istio/istio#8503"},
		},
	}
}
