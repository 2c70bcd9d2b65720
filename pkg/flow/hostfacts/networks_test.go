// SPDX-License-Identifier: Apache-2.0

package hostfacts

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
)

// claims makes a Node that says something about itself.
func claims(name string, podCIDRs []string, addresses ...string) *corev1.Node {
	n := flowtest.Hardware(name, "   ", addresses...)
	n.Spec.PodCIDRs = podCIDRs
	return &n
}

// manager is a controller manager's static pod.
func manager(node string, words ...string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "kube-system", Name: "kube-controller-manager-" + node, Labels: map[string]string{"component": "kube-controller-manager"},
			Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"},
		},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "kube-controller-manager",
			Command: append([]string{"kube-controller-manager"}, words...)}}},
	}
}

func config(networking string) *corev1.ConfigMap {
	c := flowtest.KubeadmConfig()
	c.Data["ClusterConfiguration"] = "networking: {" + networking + "}\n"
	return c
}

func TestOnlyTheClustersOwnerSaysWhichNetworksArePods(t *testing.T) {
	cp := flowtest.ControlPlane("cp1", "192.0.2.1", true)
	for name, tc := range map[string]struct {
		own, other *corev1.Node
		config     *corev1.ConfigMap
		more       []runtime.Object
		want       string
	}{
		"podSubnet, and a Node that claims another": {claims("w1", []string{"10.244.1.0/24"}), claims("y", []string{"192.168.0.0/16"}),
			flowtest.KubeadmConfig(), nil, "10.244.0.0/16 fd00::/48"},
		"podSubnet, and a Node that claims all": {claims("w1", []string{"0.0.0.0/0"}), claims("y", []string{"::/0"}),
			flowtest.KubeadmConfig(), nil, "10.244.0.0/16 fd00::/48"},
		"none, and the node's own": {claims("w1", []string{"10.1.2.0/24", "fd00:1::/64"}),
			claims("y", []string{"192.168.0.0/24"}), config(""), nil, "10.1.2.0/24 fd00:1::/64"},
		"none, and the node's own is too large": {claims("w1", []string{"10.0.0.0/12", "fd00::/48"}), claims("y", nil),
			config(""), nil, ""},
		"none, and the node's own is no network of pods": {claims("w1", []string{"127.0.0.0/24", "224.0.0.0/24", "169.254.0.0/24", "fe80::/64",
			"::ffff:10.0.0.0/120", "x"}), claims("y", nil), config(""), nil, ""},
		"none, but the controller manager allocates": {claims("w1", []string{"10.9.0.0/24"}), claims("y", []string{"192.168.0.0/24"}),
			config(""), []runtime.Object{&cp, manager("cp1", "--allocate-node-cidrs=true",
				"--cluster-cidr=10.5.0.0/16,fd05::/56")}, "10.5.0.0/16 fd05::/56"},
		"the controller manager does not allocate": {claims("w1", []string{"10.9.0.0/24"}), claims("y", nil), config(""),
			[]runtime.Object{&cp, manager("cp1", "--cluster-cidr=10.5.0.0/16")}, "10.9.0.0/24"},
		"a pod on a worker calls itself controller": {claims("w1", []string{"10.9.0.0/24"}), claims("y", nil), config(""),
			[]runtime.Object{&cp, manager("y", "--allocate-node-cidrs", "--cluster-cidr=192.168.0.0/16")}, "10.9.0.0/24"},
		"kubeadm's networks are none of theirs": {claims("w1", nil), claims("y", nil),
			config("podSubnet: '0.0.0.0/0,::/0,nonsense,10.0.0.0/33'"), nil, ""},
		"kubeadm's, with blanks and twice": {claims("w1", nil), claims("y", nil),
			config("podSubnet: '10.244.3.0/16, 10.244.0.0/16'"), nil, "10.244.0.0/16"},
		"a controller manager whose network is too large": {claims("w1", nil), claims("y", nil), config(""),
			[]runtime.Object{&cp, manager("cp1", "--allocate-node-cidrs=true", "--cluster-cidr=0.0.0.0/0")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			facts, err := Read(t.Context(), fake.NewClientset(append(tc.more, tc.own, tc.other, tc.config)...), tc.own)
			if got := strings.Join(facts.PodCIDRs, " "); err != nil || got != tc.want {
				t.Errorf("pod networks %q, want %q; %v", got, tc.want, err)
			}
		})
	}
}

func TestAnAddressThatNoNodeCanHaveIsNone(t *testing.T) {
	for name, tc := range map[string]struct {
		claimed, want string
	}{
		"IPv4":                            {"192.0.2.7", "192.0.2.7"},
		"IPv6":                            {"2001:db8::7", "2001:db8::7"},
		"IPv4 in IPv6's clothes":          {"::ffff:192.0.2.7", "192.0.2.7"},
		"a name":                          {"router", ""},
		"a shell's":                       {"$(id)", ""},
		"loopback":                        {"127.0.0.1", ""},
		"loopback, IPv6":                  {"::1", ""},
		"multicast":                       {"224.0.0.18", ""},
		"broadcast":                       {"255.255.255.255", ""},
		"none at all":                     {"0.0.0.0", ""},
		"a link's":                        {"fe80::1%eth0", ""},
		"a link's, IPv4":                  {"169.254.1.1", ""},
		"with a zone":                     {"2001:db8::7%eth0", ""},
		"a pod's":                         {"10.244.3.4", ""},
		"a pod's, in IPv6's clothes":      {"::ffff:10.244.3.4", ""},
		"a service's":                     {"10.96.0.1", ""},
		"a network instead of an address": {"192.0.2.0/24", ""},
	} {
		t.Run(name, func(t *testing.T) {
			never := prefixes([]string{"10.244.0.0/16", "10.96.0.0/12"})
			nodes := []corev1.Node{*claims("w1", nil, "198.51.100.1"), *claims("y", nil, tc.claimed, "198.51.100.1")}
			want := sortedUnique(slices.DeleteFunc([]string{"198.51.100.1", tc.want}, func(s string) bool { return s == "" }))
			// Who claims another's takes nothing from it.
			if got := nodeAddresses(nodes, never); !slices.Equal(got, want) {
				t.Errorf("addresses %q, want %q", got, want)
			}
		})
	}
}

// Of one Node that claims very much, and of very many Nodes, an order stays small.
func TestFactsAreBounded(t *testing.T) {
	var greedy []string
	for i := range 20_000 {
		greedy = append(greedy, fmt.Sprintf("198.18.%d.%d", i/256, i%256))
	}
	nodes := []corev1.Node{*claims("y", greedy, greedy...)}
	for i := range 5000 {
		nodes = append(nodes, *claims(fmt.Sprintf("w%d", i), []string{fmt.Sprintf("10.%d.%d.0/24", i/256, i%256)},
			fmt.Sprintf("172.16.%d.%d", i/256, i%256)))
	}
	addresses := nodeAddresses(nodes, nil)
	pods := nodePods(nodes, addresses)
	if raw, err := json.Marshal(inventory.Facts{NodePods: pods}); err != nil || len(pods) > 5000+2*maxAddresses || len(raw) > 250<<10 {
		t.Errorf("%d networks of nodes, %d bytes, %v", len(pods), len(raw), err)
	}
	raw, err := json.Marshal(inventory.Facts{NodeIPs: addresses,
		PodCIDRs: texts(podNetworks(&nodes[1], prefixes([]string{"10.0.0.0/8"}), nil))})
	if err != nil || len(addresses) != 5000+maxAddresses || len(raw) > 200<<10 {
		t.Errorf("%d addresses, %d bytes, %v", len(addresses), len(raw), err)
	}
}

func FuzzNetworksOfAConfiguration(f *testing.F) {
	for _, seed := range []string{
		"networking: {podSubnet: '10.244.0.0/16,fd00::/48', serviceSubnet: 10.96.0.0/12}", "networking: 7", "ipvs: {excludeCIDRs: [10.0.0.0/8, " +
			"x]}", "a: &a [*a]",
		"networking: {podSubnet: '0.0.0.0/0 ::/0'}", strings.Repeat("[", 10000), "ipvs: {excludeCIDRs: ['::ffff:1.2.3.4/100', 1.2.3.4/0]}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if found, err := parseNetworks(text); err == nil {
			for _, p := range slices.Concat(found.Pods, found.Services) {
				if p.Bits() < 8 || p.Addr().IsLoopback() || p.Addr().IsMulticast() || p != p.Masked() || len(p.String()) > 50 {
					t.Errorf("network %s", p)
				}
			}
		}
		excludes, err := parseExcludes(text)
		if err != nil {
			return
		}
		for _, e := range excludes {
			if _, err := netip.ParsePrefix(e); err != nil {
				t.Errorf("excluded is %q", e)
			}
		}
	})
}

func TestTheAddressesOfLoadBalancers(t *testing.T) {
	service := func(kind corev1.ServiceType, ips ...string) corev1.Service {
		out := corev1.Service{Spec: corev1.ServiceSpec{Type: kind}}
		for _, ip := range ips {
			out.Status.LoadBalancer.Ingress = append(out.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: ip})
		}
		return out
	}
	nodes := []corev1.Node{{Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}, {Type: corev1.NodeExternalIP,
			Address: "198.51.100.1"}, {Type: corev1.NodeHostName, Address: "w1"},
	}}}}
	asked := service(corev1.ServiceTypeLoadBalancer)
	asked.Spec.LoadBalancerIP = "192.0.2.201"
	asked.Annotations = map[string]string{"kube-vip.io/loadbalancerIPs": "192.0.2.202, 2001:db8::3,0.0.0.0"}
	external := service(corev1.ServiceTypeClusterIP)
	external.Spec.ExternalIPs, external.Spec.LoadBalancerIP = []string{"192.0.2.240", "192.0.2.1"}, "192.0.2.203"
	many := make([]corev1.Service, maxAnnounced+9)
	for i := range many {
		many[i] = service(corev1.ServiceTypeLoadBalancer, fmt.Sprintf("192.0.%d.%d", 3+i/250, 1+i%250))
	}
	for _, tc := range []struct {
		name     string
		services []corev1.Service
		want     string
	}{
		{"of both families, each once", []corev1.Service{service(corev1.ServiceTypeLoadBalancer, "192.0.2.200", "2001:db8::2"),
			service(corev1.ServiceTypeLoadBalancer, "192.0.2.200")}, "192.0.2.200 2001:db8::2"},
		{"a node's own, as ServiceLB announces them, are the host's",
			[]corev1.Service{service(corev1.ServiceTypeLoadBalancer, "192.0.2.1", "198.51.100.1")}, ""},
		{"what is asked of a balancer, also by an annotation of kube-vip's", []corev1.Service{asked}, "192.0.2.201 192.0.2.202 2001:db8::3"},
		{"external IPs, of any Service, but a node's own", []corev1.Service{external}, "192.0.2.240"},
		{"what was left in a Service that is none any more", []corev1.Service{service(corev1.ServiceTypeClusterIP, "192.0.2.200")}, ""},
		{"what no card has: a name, the loopback, nothing", []corev1.Service{service(corev1.ServiceTypeLoadBalancer, "lb.example", "127.0.0.1",
			"", "::1")}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := strings.Join(balancerAddresses(tc.services, nodes), " "); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if got := balancerAddresses(many, nil); len(got) != maxAnnounced {
		t.Errorf("%d addresses", len(got))
	}
}

func TestALoadBalancerIsAskedForOnlyWhereThatIsAllowed(t *testing.T) {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "lb"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.200"}}
	client := fake.NewClientset(flowtest.Worker(), flowtest.KubeadmConfig(), service)
	facts, err := Read(t.Context(), client, flowtest.Worker())
	if err != nil || strings.Join(facts.Announced, " ") != "192.0.2.200" {
		t.Errorf("announced %q, error %v", facts.Announced, err)
	}
	client.PrependReactor("list", "services", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource("services"), "", nil)
	})
	if facts, err = Read(t.Context(), client, flowtest.Worker()); err != nil || facts.Announced != nil {
		t.Errorf("who may not list them: announced %q, error %v", facts.Announced, err)
	}
}

func TestTheFactsOfAHostComeFromTheCluster(t *testing.T) {
	node := flowtest.Worker()
	node.Spec.PodCIDRs, node.CreationTimestamp = []string{"10.244.1.0/24"}, metav1.Unix(1_700_000_000, 0)
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"},
		{Type: corev1.NodeHostName, Address: "w1"}}
	proxy := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-proxy"}}
	proxy.Data = map[string]string{"config.conf": "kind: KubeProxyConfiguration\nmode: ipvs\nipvs:\n  excludeCIDRs: [198.51.100.0/24, " +
		"fd00:1::/64]\n"}
	facts, err := Read(t.Context(), fake.NewClientset(node, flowtest.KubeadmConfig(), proxy), node)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(facts.PodCIDRs, " "); got != "10.244.0.0/16 fd00::/48" {
		t.Errorf("pod networks %q", got)
	}
	if got := strings.Join(facts.IPVSExclude, " "); got != "198.51.100.0/24 fd00:1::/64" {
		t.Errorf("networks that kube-proxy leaves alone: %q", got)
	}
	if strings.Join(facts.ServiceCIDRs, " ") != "10.96.0.0/12" || strings.Join(facts.NodeIPs, " ") != "192.0.2.1" ||
		strings.Join(facts.NodePods, ", ") != "192.0.2.1 10.244.1.0/24" || facts.Registered.Unix() != 1_700_000_000 {
		t.Errorf("facts %+v", facts)
	}
	proxy.Data["config.conf"] = "ipvs: [what is this"
	if _, err := Read(t.Context(), fake.NewClientset(node, proxy), node); err == nil ||
		!strings.Contains(err.Error(), "kube-system/kube-proxy") {
		t.Errorf("of a configuration that cannot be read: %v", err)
	}
	if facts, err := Read(t.Context(), fake.NewClientset(node), node); err != nil || facts.IPVSExclude != nil {
		t.Errorf("without kube-proxy: %v, %v", facts.IPVSExclude, err)
	}
}
