// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
)

// input is a kubeadm cluster of two nodes whose flannel works, with changes.
func input(change ...func(*Input)) Input {
	in := Input{Facts: facts.Facts{
		Pods:     facts.Range{CIDRs: cnitest.CIDRs("10.244.0.0/16"), Source: "kubeadm-config"},
		Services: facts.Range{CIDRs: cnitest.CIDRs("10.96.0.0/12"), Source: "servicecidr kubernetes"},
		Endpoint: "172.18.0.2:6443",
		Proxy:    facts.Proxy{Present: true, CIDRs: cnitest.CIDRs("10.244.0.0/16")},
		DNS:      facts.DNS{Name: "coredns", Desired: 2, Available: 2},
		Networks: []facts.Network{{CNI: "flannel", Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds",
			Managed: []managedby.Release{{Tool: managedby.Helm, Name: "flannel"}},
			Setting: facts.Setting{Source: "net-conf.json", Pool: cnitest.CIDRs("10.244.0.0/16")}}},
	}}
	for i, name := range []string{"a", "b"} {
		in.Nodes = append(in.Nodes, facts.Node{Name: name, OS: "linux", Ready: true, Grown: true, Kernel: "6.1.0-25-amd64",
			PodCIDRs:  []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(i), 0}), 24)},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{172, 18, 0, byte(2 + i)})}})
		in.Objects.Nodes = append(in.Objects.Nodes, cnitest.Node(name, cnitest.Ready))
	}
	in.Nodes[0].ControlPlane = true
	in.Objects.Agents = []*appsv1.DaemonSet{cnitest.Agents()}
	in.Pods.Agents = [][]*corev1.Pod{{cnitest.Agent("a"), cnitest.Agent("b")}}
	for _, c := range change {
		c(&in)
	}
	return in
}

// wanted makes it a cluster without a network, in which one is to be installed.
func wanted(name string, change ...func(*Wanted)) func(*Input) {
	return func(in *Input) {
		in.Networks, in.Objects.Agents, in.Pods.Agents = nil, nil, nil
		in.Wanted = Wanted{CNI: name}
		for _, c := range change {
			c(&in.Wanted)
		}
	}
}

// first changes the first node.
func first(change func(*facts.Node)) func(*Input) { return func(in *Input) { change(&in.Nodes[0]) } }

// fact is one row of a table: a cluster, and what is found in it.
type fact struct {
	change func(*Input)
	// want are the ids with their severities, blocks whether an installation is
	// refused, and says what stands in it.
	want   string
	blocks bool
	says   string
}

func (f fact) check(t *testing.T) {
	t.Helper()
	all := All(input(f.change))
	var ids []string
	for _, found := range all {
		ids = append(ids, found.ID+" "+string(found.Severity))
		if found.Cure == "" || found.What == "" {
			t.Errorf("%s has no way out, or says nothing", found.ID)
		}
		if _, err := Explain(found.ID); err != nil {
			t.Error(err)
		}
	}
	if got := strings.Join(ids, ", "); got != f.want {
		t.Errorf("found %q, want %q: %v", got, f.want, all)
	}
	if got := len(Blocking(all)) > 0; got != f.blocks {
		t.Errorf("it blocks an installation: %v", got)
	}
	if f.says != "" && !slices.ContainsFunc(all, func(found Finding) bool { return strings.Contains(found.String(), f.says) }) {
		t.Errorf("nothing says %q: %v", f.says, all)
	}
}

func TestFindingsOfAddresses(t *testing.T) {
	for name, f := range map[string]fact{
		"a cluster that works":            {func(*Input) {}, "", false, ""},
		"one that is to be given flannel": {wanted("flannel"), "", false, ""},
		"no node has a pod CIDR": {func(in *Input) { in.Nodes[0].PodCIDRs, in.Nodes[1].PodCIDRs = nil, nil },
			"CNI001 error", true, "no node has spec.podCIDR"},
		"nor does anything say the range": {func(in *Input) {
			wanted("flannel")(in)
			in.Nodes[0].PodCIDRs, in.Nodes[1].PodCIDRs, in.Facts.Pods, in.Proxy.CIDRs = nil, nil, facts.Range{}, nil
		}, "CNI001 error", true, "kubeadm-config no podSubnet"},
		"a network with a pool of its own needs none": {func(in *Input) {
			wanted("cilium")(in)
			in.Wanted.IPAM, in.Wanted.Pool = "cluster-pool", cnitest.CIDRs("10.244.0.0/16")
			in.Nodes[0].PodCIDRs, in.Nodes[1].PodCIDRs = nil, nil
		}, "", false, ""},
		"nodes that are new may still get theirs": {func(in *Input) {
			for i := range in.Nodes {
				in.Nodes[i].PodCIDRs, in.Nodes[i].Grown = nil, false
			}
		}, "", false, ""},
		"one node has none": {first(func(n *facts.Node) { n.PodCIDRs = nil }), "CNI019 error", false,
			"pods on node a get no addresses: it has no pod CIDR"},
		"one node lacks a family": {func(in *Input) {
			in.Facts.Pods.CIDRs = cnitest.CIDRs("10.244.0.0/16", "fd00::/56")
			in.Proxy.CIDRs = in.Facts.Pods.CIDRs
			in.Nodes[0].PodCIDRs = append(in.Nodes[0].PodCIDRs, netip.MustParsePrefix("fd00::/64"))
			for i := range in.Nodes {
				in.Nodes[i].Addresses = append(in.Nodes[i].Addresses, netip.MustParseAddr("fd01::1"))
			}
		}, "CNI019 error", false, "node b get no addresses: it has no pod CIDR of IPv6"},
		"one node has no address of a family": {func(in *Input) {
			in.Facts.Pods.CIDRs = cnitest.CIDRs("10.244.0.0/16", "fd00::/56")
			in.Proxy.CIDRs = in.Facts.Pods.CIDRs
			for i := range in.Nodes {
				in.Nodes[i].PodCIDRs = append(in.Nodes[i].PodCIDRs, netip.MustParsePrefix([]string{"fd00::/64", "fd00:0:0:1::/64"}[i]))
			}
			in.Nodes[0].Addresses = append(in.Nodes[0].Addresses, netip.MustParseAddr("fd01::1"))
		}, "CNI021 warning", false, "node b has no IPv6 address"},
		"a pool outside of the cluster's range, as 10.224 for 10.244": {func(in *Input) {
			in.Networks[0].Setting.Pool = cnitest.CIDRs("10.224.0.0/16")
		}, "CNI002 error", false, "flannel gives pods addresses of 10.224.0.0/16, and the cluster's pods are in 10.244.0.0/16"},
		"a pool that is to be outside of it": {wanted("flannel", func(w *Wanted) { w.Pool = cnitest.CIDRs("10.224.0.0/16") }),
			"CNI002 error", true, ""},
		"kube-proxy has another range": {func(in *Input) { in.Proxy.CIDRs = cnitest.CIDRs("10.0.0.0/8") }, "CNI002 warning", false,
			"kube-proxy takes 10.0.0.0/8"},
		"a network has another range of Services": {func(in *Input) {
			in.Networks[0].Setting.Services = cnitest.CIDRs("10.96.0.0/16")
		}, "CNI002 error", false, "takes 10.96.0.0/16 for the Services' range"},
		"Cilium's default pool holds Services and pods": {wanted("cilium", func(w *Wanted) {
			w.IPAM, w.Pool = "cluster-pool", cnitest.CIDRs("10.0.0.0/8")
		}), "CNI002 error, CNI003 error", true, "(10.0.0.0/8) and Services (10.96.0.0/12) overlap"},
		"the pods' range holds hosts": {first(func(n *facts.Node) { n.Addresses = []netip.Addr{netip.MustParseAddr("10.244.9.9")} }),
			"CNI003 error", true, "pods (10.244.0.0/16) and nodes (10.244.9.9/32) overlap"},
		"the API server's address is a Service's": {func(in *Input) { in.Endpoint = "10.96.0.5:6443" }, "CNI003 error", true, "API server"},
		"a join network holds Services": {func(in *Input) { in.Networks[0].Setting.Join = cnitest.CIDRs("10.100.0.0/16") },
			"CNI003 error", true, "join network of flannel"},
		"two nodes have the same pod CIDR": {func(in *Input) { in.Nodes[1].PodCIDRs = in.Nodes[0].PodCIDRs }, "CNI003 error", true,
			"a (10.244.0.0/24)"},
		"a running pool would be changed": {func(in *Input) {
			in.Wanted = Wanted{CNI: "flannel", Pool: cnitest.CIDRs("10.244.0.0/17")}
		}, "CNI017 error", true, "runs with the pool 10.244.0.0/16, and would be given 10.244.0.0/17"},
		"a running IPAM mode would be changed": {func(in *Input) {
			in.Networks[0].Setting.IPAM = "kubernetes"
			in.Wanted = Wanted{CNI: "flannel", IPAM: "cluster-pool"}
		}, "CNI017 error", true, "IPAM mode kubernetes"},
	} {
		t.Run(name, f.check)
	}
}

func TestFindingsOfNetworks(t *testing.T) {
	yes, no := true, false
	for name, f := range map[string]fact{
		"two networks": {func(in *Input) {
			in.Networks = append(in.Networks, facts.Network{CNI: "calico", Managed: in.Networks[0].Managed})
		},
			"CNI004 error", false, "several networks: flannel, calico"},
		"another one is to be installed": {func(in *Input) { in.Wanted.CNI = "cilium" }, "CNI004 error", true, "a network already: flannel"},
		"Flux manages it": {func(in *Input) {
			in.Networks[0].Managed = []managedby.Release{{Tool: managedby.FluxHelm, Name: "flannel", Namespace: "flux-system"}}
		}, "CNI020 note", false, "managed by Flux HelmRelease flannel"},
		"Flux manages it, and it is to be changed here": {func(in *Input) {
			in.Networks[0].Managed = []managedby.Release{{Tool: managedby.FluxHelm, Name: "flannel", Namespace: "flux-system"}}
			in.Wanted.CNI = "flannel"
		}, "CNI020 error", true, ""},
		"Argo CD manages it, and it is to be changed here": {func(in *Input) {
			in.Networks[0].Managed = []managedby.Release{{Tool: managedby.ArgoCD, Name: "net"}}
			in.Wanted.CNI = "flannel"
		}, "CNI020 error", true, "Argo CD application net"},
		"it was applied as manifests": {func(in *Input) { in.Networks[0].Managed = nil }, "CNI014 note", false, "no release says"},
		"its release is stuck": {func(in *Input) {
			in.Releases = []release.Release{{Name: "flannel", Namespace: "kube-flannel", Status: release.PendingUpgrade, Revision: 3}}
		}, "CNI014 warning", false, "unfinished (pending-upgrade)"},
		"there is no kube-proxy": {func(in *Input) { in.Proxy = facts.Proxy{} }, "CNI009 error", false, "no kube-proxy"},
		"flannel is to be installed without it": {func(in *Input) {
			wanted("flannel")(in)
			in.Proxy = facts.Proxy{}
		}, "CNI009 error", true, ""},
		"Cilium that does its work needs none of it":   {ciliumThere(&yes, false), "", false, ""},
		"Cilium that does its work beside it":          {ciliumThere(&yes, true), "CNI009 warning", false, "kube-proxy runs as well"},
		"Cilium that does not do it, and none is here": {ciliumThere(&no, false), "CNI009 error", false, "cilium does not do its work"},
		"a kernel of CentOS 7 and Cilium": {func(in *Input) {
			wanted("cilium")(in)
			in.Nodes[1].Kernel = "3.10.0-1160.el7.x86_64"
		}, "CNI011 error", true, "node b runs kernel 3.10.0-1160.el7.x86_64, and cilium needs 5.10"},
		"the kernel of RHEL 8.10 will do": {func(in *Input) {
			wanted("cilium")(in)
			in.Nodes[1].Kernel = "4.18.0-553.el8_10.x86_64"
		}, "", false, ""},
		"the kernel of RHEL 8.10 will not do where nothing says so": {func(in *Input) {
			wanted("calico")(in)
			in.Nodes[1].Kernel = "4.18.0-553.el8_10.x86_64"
		}, "CNI011 error", true, "calico needs 5.10"},
		"Kube-OVN and no label": {wanted("kube-ovn", func(w *Wanted) { w.Labels = map[string]string{"kube-ovn/role": "master"} }),
			"CNI025 error", true, "kube-ovn/role=master"},
		"Kube-OVN and the label": {func(in *Input) {
			wanted("kube-ovn", func(w *Wanted) { w.Labels = map[string]string{"kube-ovn/role": "master"} })(in)
			in.Nodes[1].Labels = map[string]string{"kube-ovn/role": "master"}
		}, "", false, ""},
		"Kube-OVN and kubeadm's own label": {wanted("kube-ovn", func(w *Wanted) {
			w.Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""}
		}), "", false, ""},
		"Cilium is to do kube-proxy's work beside it": {wanted("cilium", func(w *Wanted) { w.ReplacesProxy = true }), "CNI009 warning", false,
			"kube-proxy runs as well"},
		"a dead node": {first(func(n *facts.Node) { n.Absent = "NotReady, its kubelet does not answer" }), "CNI022 note", false,
			"node a is not served"},
		"a node of Windows is not": {first(func(n *facts.Node) { n.OS, n.PodCIDRs = "windows", nil }), "", false, ""},
		"two nodes with one address of flannel": {func(in *Input) {
			for _, n := range in.Objects.Nodes {
				n.Annotations["flannel.alpha.coreos.com/public-ip"] = "10.0.2.15"
			}
		}, "CNI018 error", false, "nodes a, b: 2 nodes have flannel's public-ip 10.0.2.15"},
	} {
		t.Run(name, f.check)
	}
}

// ciliumThere is a cluster that Cilium works in.
func ciliumThere(replaces *bool, proxy bool) func(*Input) {
	return func(in *Input) {
		in.Networks[0].CNI = "cilium"
		in.Networks[0].Setting = facts.Setting{Source: "configmap cilium-config", IPAM: "kubernetes", Proxy: replaces}
		in.Proxy = facts.Proxy{Present: proxy}
	}
}

// agentSays is an agent whose container ended so.
func agentSays(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = nil
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "agent", Image: "ghcr.io/x/agent:1",
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: message}}}}
	}
}

// waits is an agent whose container does not start.
func waits(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = nil
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "agent", Image: "ghcr.io/x/agent:1",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}
	}
}

// longReady is an agent that has been ready for an hour.
func longReady(p *corev1.Pod) {
	p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(time.Now().Add(-time.Hour))
}

func agents(change ...func(*corev1.Pod)) func(*Input) {
	return func(in *Input) { in.Pods.Agents = [][]*corev1.Pod{{cnitest.Agent("a", change...), cnitest.Agent("b")}} }
}

// twinned gives each address to a pod on either node.
func twinned(addresses ...string) func(*Input) {
	return func(in *Input) {
		for _, a := range addresses {
			in.Pods.Twins = append(in.Pods.Twins, facts.Twin{Address: netip.MustParseAddr(a), Pods: 2,
				Holders: []facts.Holder{{Pod: "kube-system/coredns", Node: "a"}, {Pod: "shop/web", Node: "b"}}})
		}
	}
}

func TestFindingsOfPods(t *testing.T) {
	const uninitialized = "container runtime network not ready: NetworkReady=false message:Network plugin returns error: " +
		"cni plugin not initialized"
	blind := func(in *Input) { in.Nodes[0].Ready, in.Nodes[0].Message = false, uninitialized }
	for name, f := range map[string]fact{
		"CoreDNS waits, as expected": {func(in *Input) {
			in.Networks, in.Objects.Agents, in.Pods.Agents, in.DNS.Available = nil, nil, nil, 0
		}, "CNI010 note", false, "that is expected"},
		"CoreDNS was scaled to none": {func(in *Input) { in.DNS.Desired, in.DNS.Available = 0, 0 }, "CNI029 error", false,
			"has 0 of 0 pods available"},
		"no pod of CoreDNS starts":       {func(in *Input) { in.DNS.Available = 0 }, "CNI029 error", false, "has 0 of 2 pods available"},
		"one of CoreDNS' pods is enough": {func(in *Input) { in.DNS.Available = 1 }, "", false, ""},
		"a cluster without CoreDNS":      {func(in *Input) { in.DNS = facts.DNS{} }, "", false, ""},
		"pods from before": {func(in *Input) {
			in.Pods.Strays = []facts.Stray{{Namespace: "shop", Owner: "ReplicaSet/web-1", Pods: 3, Example: "10.88.0.2"}}
		}, "CNI010 warning", false, "3 pods have an address that the network does not give out"},
		"pods with addresses of other nodes": {func(in *Input) {
			in.Pods.Misplaced = []facts.Misplaced{
				{Node: "a", Pods: 2, CIDRs: cnitest.CIDRs("10.244.0.0/24"), Pod: "shop/web", Address: netip.MustParseAddr("10.244.7.2")},
				{Node: "b", Pods: 1, CIDRs: cnitest.CIDRs("10.244.1.0/24"), Pod: "shop/db", Address: netip.MustParseAddr("10.244.7.3")}}
		}, "CNI005 error", false, "3 pods on nodes a, b have an address that is not of their node's pod CIDR: no route leads there from other " +
			"nodes (pod shop/web has 10.244.7.2, and the pods of node a are in 10.244.0.0/24)"},
		"two pods with one address": {twinned("10.244.0.2"), "CNI005 error", false,
			"2 pods have the same address 10.244.0.2: packets for one of them go to another (10.244.0.2: kube-system/coredns on a, " +
				"shop/web on b)"},
		"several addresses of two pods each": {twinned("10.244.0.2", "10.244.0.3"), "CNI005 error", false,
			"2 addresses are those of several pods"},
		"Vpcs of Kube-OVN may have the same Subnets": {func(in *Input) {
			twinned("10.244.0.2")(in)
			in.Networks[0].CNI, in.Networks[0].Setting.Source = "kube-ovn", ""
		}, "", false, ""},
		"a runtime that does not see the file": {func(in *Input) {
			blind(in)
			agents(longReady)(in)
		}, "CNI006 error", false, "node a has not seen"},
		"its agent has only just become ready": {func(in *Input) { blind(in); agents()(in) }, "", false, ""},
		"flannel misses br_netfilter": {agents(agentSays("Failed to check br_netfilter: stat /proc/sys/net/bridge")), "CNI008 error",
			false, "node a"},
		"flannel misses its pod CIDR": {agents(agentSays(`Error registering network: node "a" pod cidr not assigned`)),
			"CNI001 error", false, ""},
		"Cilium may not write into /opt/cni/bin": {agents(agentSays("cp: /hostbin/cilium-mount: Permission denied")), "CNI023 error", false, ""},
		"Calico's definitions are missing": {agents(agentSays(`no matches for kind "Installation" in version "operator.tigera.io/v1"`)),
			"CNI024 error", false, ""},
		"Antrea misses Open vSwitch": {agents(agentSays("modprobe: FATAL: Module openvswitch not found")), "CNI026 error", false, ""},
		"an image cannot be pulled": {agents(waits("ImagePullBackOff", "dial tcp: lookup ghcr.io: no such host")), "CNI012 error",
			false, "ghcr.io/x/agent:1"},
		"the log of a crashed agent tells": {func(in *Input) {
			agents(agentSays(""))(in)
			in.Words = map[string]string{"kube-flannel/agent-a": "no br_netfilter"}
		}, "CNI008 error", false, "br_netfilter"},
		"a crash that is not known is no finding": {agents(agentSays("segmentation fault")), "", false, ""},
		"a second operator finds no node": {func(in *Input) {
			in.Pods.Waiting = []*corev1.Pod{unscheduled("kube-flannel",
				"operator-2")}
		}, "CNI013 warning", false, "didn't match"},
		"other pods of kube-system are not counted": {func(in *Input) {
			in.Networks[0].Namespace = "kube-system"
			in.Pods.Waiting = []*corev1.Pod{unscheduled("kube-system", "metrics")}
		}, "", false, ""},
		"an operator is to have more pods than nodes": {wanted("cilium", func(w *Wanted) { w.OperatorReplicas = 3 }), "CNI013 warning", false,
			"is to have 3 pods"},
		"a pull secret is missing": {func(in *Input) { in.MissingSecrets = []string{"kube-flannel/regcred"} }, "CNI027 warning", false,
			"kube-flannel/regcred"},
		"a sandbox asks a network that is gone": {sandbox(`plugin type="antrea" failed (add): dial unix /var/run/antrea/cni.sock: no such file`),
			"CNI005 error", false, "pods on node b get no network"},
		"a sandbox finds a dead lease of flannel": {sandbox("open /run/flannel/subnet.env: no such file or directory"), "CNI005 error", false,
			""},
		"a sandbox misses a plugin": {sandbox(`failed to find plugin "flannel" in path [/usr/lib/cni]`), "CNI007 error", false,
			"/usr/lib/cni"},
		"a sandbox misses a reference plugin": {sandbox(`failed to find plugin "loopback" in path [/opt/cni/bin]`), "CNI008 error", false,
			""},
	} {
		t.Run(name, f.check)
	}
}

func unscheduled(namespace, name string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Message: "0/1 nodes: 1 node(s) didn't match"}}
	return p
}

func sandbox(message string) func(*Input) {
	return func(in *Input) {
		in.Sandboxes = []Sandbox{{Node: "b", Pod: "shop/web", Message: message}, {Node: "b", Pod: "shop/web-2", Message: message}}
	}
}
