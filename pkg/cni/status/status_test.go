// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// objects are a cluster of two nodes whose flannel works, with kube-proxy's
// configuration and kubeadm's.
func objects() []runtime.Object {
	config := func(name, key, value string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system"}, Data: map[string]string{key: value}}
	}
	net := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kube-flannel-cfg", Namespace: "kube-flannel"},
		Data: map[string]string{"net-conf.json": `{"Network":"10.244.0.0/16"}`}}
	proxy := cnitest.Agents()
	proxy.Name, proxy.Namespace, proxy.UID = "kube-proxy", "kube-system", "proxy"
	out := []runtime.Object{
		config("kubeadm-config", "ClusterConfiguration", "networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12}"),
		config("kube-proxy", "config.conf", "clusterCIDR: 10.244.0.0/16\nmode: nftables\n"), net, proxy,
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.244.0.9"}},
	}
	for i, name := range []string{"a", "b"} {
		out = append(out, cnitest.Node(name, cnitest.Ready, cnitest.Old, func(n *corev1.Node) {
			n.Spec.PodCIDRs = []string{fmt.Sprintf("10.244.%d.0/24", i)}
		}))
	}
	agents := cnitest.Agents()
	agents.Annotations = map[string]string{"meta.helm.sh/release-name": "flannel", "meta.helm.sh/release-namespace": "kube-flannel"}
	agents.Spec.Template.Spec.Containers = []corev1.Container{{Image: "ghcr.io/flannel-io/flannel:v0.28.4"}}
	running := func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Image: "ghcr.io/flannel-io/flannel:v0.28.4"}}
	}
	return append(out, agents, cnitest.Agent("a", running), cnitest.Agent("b", running), cnitest.CoreDNS(true))
}

func statusOf(t *testing.T, client *fake.Clientset, hosts ...wire.HostNetwork) Status {
	t.Helper()
	in, err := Read(t.Context(), client, nil, catalogue.Signs())
	if err != nil {
		t.Fatal(err)
	}
	in.Hosts = hosts
	return Of(in)
}

func TestTheStatusOfANetworkThatWorks(t *testing.T) {
	client := fake.NewClientset(objects()...)
	s := statusOf(t, client, wire.HostNetwork{Node: "a", Netfilter: true, Plugins: []string{"bridge", "host-local", "loopback", "portmap",
		"flannel"},
		Configs: []wire.NetConfig{{File: "10-flannel.conflist", Types: []string{"flannel"}}}})
	if !s.Works || len(s.Networks) != 1 || len(s.Findings) > 0 {
		t.Fatalf("%+v", s)
	}
	n := s.Networks[0]
	if n.CNI != "flannel" || n.Version != "v0.28.4" || n.Manager != "Helm release flannel in namespace kube-flannel" ||
		n.Agents.String() != "2 of 2" || len(n.Images) != 1 || n.Images[0].Pods != 2 {
		t.Errorf("%+v", n)
	}
	if s.Consistent != "flannel, kube-proxy, the nodes' own agree" || s.Proxy.Mode != "nftables" ||
		s.Pods.Inside != 1 || s.Pods.Networked != 1 {
		t.Errorf("%q, %+v, %+v", s.Consistent, s.Proxy, s.Pods)
	}
	if a := s.Nodes[0]; a.Agent != ready || a.Conflist != "10-flannel.conflist" || a.Reason != "" || !a.Served || s.Nodes[1].Conflist != "" {
		t.Errorf("%+v", s.Nodes)
	}
	for _, a := range client.Actions() {
		if v := a.GetVerb(); v != "get" && v != "list" {
			t.Errorf("it did %s %s", v, a.GetResource().Resource)
		}
	}
}

func TestWhatTheStatusSaysOfANode(t *testing.T) {
	crash := func(p *corev1.Pod) {
		p.Status.Conditions = nil
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "kube-flannel", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "Failed to check br_netfilter"}}}}
	}
	for name, c := range map[string]struct {
		change func(*fake.Clientset)
		agent  string
		reason string
		works  bool
	}{
		"an agent that crashes": {func(c *fake.Clientset) { update(t, c, "pods", cnitest.Agent("a", crash)) }, notReady,
			"container kube-flannel crashes (exit code 1: Failed to check br_netfilter): fake logs (CNI008)", false},
		"no agent": {func(c *fake.Clientset) {
			_ = c.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "kube-flannel", "agent-a")
		}, none, "no agent was made for it", false},
		"a node that is not Ready": {func(c *fake.Clientset) {
			update(t, c, "nodes", cnitest.Node("a", cnitest.Ready, cnitest.Old, cidrOfA,
				cnitest.Condition(corev1.ConditionFalse, "x message:cni plugin not initialized", time.Minute)))
		}, ready, "not Ready: cni plugin not initialized", false},
		"a dead node holds up nothing": {func(c *fake.Clientset) {
			update(t, c, "nodes", cnitest.Node("a", cnitest.Old, cidrOfA, cnitest.Condition(corev1.ConditionUnknown, "", time.Hour)))
		}, ready, "NotReady, its kubelet does not answer (CNI022)", true},
		"a node without a pod CIDR": {func(c *fake.Clientset) {
			update(t, c, "nodes", cnitest.Node("a", cnitest.Ready, cnitest.Old))
		}, ready, "(CNI019)", false},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(objects()...)
			c.change(client)
			s := statusOf(t, client)
			if n := s.Nodes[0]; n.Agent != c.agent || n.Reason != c.reason || s.Works != c.works {
				t.Errorf("agent %q, reason %q, works %v: %v", n.Agent, n.Reason, s.Works, s.Findings)
			}
		})
	}
}

func TestAddressesThatTheNetworkHasNotGiven(t *testing.T) {
	pod := func(name, node, address string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"}, Spec: corev1.PodSpec{NodeName: node},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address}}
	}
	// containerd's own configuration is on node b and gives out the cluster's whole range.
	s := statusOf(t, fake.NewClientset(append(objects(), pod("dns", "a", "10.244.0.2"), pod("probe", "b", "10.244.0.2"))...))
	if s.Works || s.Pods.Inside != 2 || s.Pods.Networked != 3 || len(s.Findings) != 2 {
		t.Fatalf("works %v, %d of %d: %v", s.Works, s.Pods.Inside, s.Pods.Networked, s.Findings)
	}
	if a, b := s.Nodes[0].Reason, s.Nodes[1].Reason; a != "(CNI005)" || b != "(CNI005)" {
		t.Errorf("%q, %q", a, b)
	}
}

func TestANetworkThatIsThereTwice(t *testing.T) {
	files := func(d *appsv1.DaemonSet) {
		d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "cni", VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: "/etc/cni/net.d"}}}}
	}
	old := cnitest.Agents(files, func(d *appsv1.DaemonSet) { d.Name, d.Namespace, d.UID = "kube-flannel-ds-amd64", "kube-system", "old" })
	client := fake.NewClientset(append(objects(), old)...)
	agents := cnitest.Agents(files)
	agents.Annotations = map[string]string{"meta.helm.sh/release-name": "flannel", "meta.helm.sh/release-namespace": "kube-flannel"}
	if err := client.Tracker().Update(appsv1.SchemeGroupVersion.WithResource("daemonsets"), agents, "kube-flannel"); err != nil {
		t.Fatal(err)
	}
	s := statusOf(t, client)
	if s.Works || len(s.Findings) != 1 || s.Findings[0].ID != "CNI004" || s.Consistent != "flannel, kube-proxy, the nodes' own agree" {
		t.Errorf("works %v, %q: %v", s.Works, s.Consistent, s.Findings)
	}
}

func cidrOfA(n *corev1.Node) { n.Spec.PodCIDRs = []string{"10.244.0.0/24"} }

func update(t *testing.T, client *fake.Clientset, resource string, object runtime.Object) {
	t.Helper()
	accessor, ok := object.(metav1.Object)
	if !ok {
		t.Fatal("no object")
	}
	if err := client.Tracker().Update(corev1.SchemeGroupVersion.WithResource(resource), object, accessor.GetNamespace()); err != nil {
		t.Fatal(err)
	}
}

func TestSandboxesOfPodsThatStillHaveNoAddress(t *testing.T) {
	event := func(pod string, ago time.Duration) *corev1.Event {
		return &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: pod, Namespace: "shop"}, Reason: "FailedCreatePodSandBox",
			InvolvedObject: corev1.ObjectReference{Namespace: "shop", Name: pod}, LastTimestamp: metav1.NewTime(time.Now().Add(-ago)),
			Message: `failed to find plugin "flannel" in path [/usr/lib/cni]`}
	}
	pod := func(name, address string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"}, Spec: corev1.PodSpec{NodeName: "b"},
			Status: corev1.PodStatus{Phase: corev1.PodPending, PodIP: address}}
	}
	client := fake.NewClientset(append(objects(), event("gone", time.Minute), event("old", time.Hour), pod("old", ""))...)
	if s := statusOf(t, client); !s.Works {
		t.Errorf("%v", s.Findings)
	}
	client = fake.NewClientset(append(objects(), event("stuck", time.Minute), pod("stuck", ""))...)
	s := statusOf(t, client)
	if s.Works || len(s.Findings) != 1 || s.Findings[0].ID != "CNI007" || s.Nodes[1].Reason != "(CNI007)" {
		t.Errorf("%v, %+v", s.Findings, s.Nodes)
	}
}

func TestTheStatusDoesWithoutWhatMayNotBeRead(t *testing.T) {
	client := fake.NewClientset(objects()...)
	for _, resource := range []string{"events", "secrets"} {
		client.PrependReactor("*", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no"))
		})
	}
	if s := statusOf(t, client); !s.Works {
		t.Errorf("%+v", s)
	}
}

func TestAClusterWithoutANetwork(t *testing.T) {
	s := statusOf(t, fake.NewClientset(cnitest.Node("a"), cnitest.CoreDNS(false)))
	if s.Works || len(s.Networks) > 0 || len(s.Findings) != 1 || s.Findings[0].ID != "CNI010" || !strings.Contains(s.Consistent, "nothing") {
		t.Errorf("%+v", s)
	}
}
