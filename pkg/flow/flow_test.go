// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func worker() *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1", Labels: map[string]string{}}}
	n.Status.NodeInfo.OperatingSystem = "linux"
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	return n
}

func kubeadmConfig() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kubeadm-config"},
		Data:       map[string]string{"ClusterConfiguration": "networking:\n  podSubnet: 10.244.0.0/16,fd00::/48\n  serviceSubnet: 10.96.0.0/12\n"},
	}
}

// permissive is a client whose server allows everything but the verbs named.
func permissive(t *testing.T, denied []string, objects ...runtime.Object) *fake.Clientset {
	t.Helper()
	client := fake.NewClientset(objects...)
	client.PrependReactor("create", "selfsubjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
		attributes := review.Spec.ResourceAttributes
		review.Status.Allowed = !slices.Contains(denied, attributes.Verb+" "+attributes.Resource)
		return true, review, nil
	})
	return client
}

func TestTheRecipeOfARemovalDeletesTheNodeOnlyAfterTheHost(t *testing.T) {
	got := (&Removal{Node: worker()}).Plan().IDs()
	if want := []string{"canary", "cordon", "drain", "volumes", "host", "node", "leftovers", "record"}; !slices.Equal(got, want) {
		t.Errorf("steps %v, want %v", got, want)
	}
}

func TestWhatCannotBeRemovedIsRefusedByName(t *testing.T) {
	cases := map[string]struct {
		change func(*corev1.Node)
		noConf bool
		denied []string
		says   string
	}{
		"a k3s node":        {change: func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.36.1+k3s1" }, says: "a k3s node"},
		"an RKE2 node":      {change: func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.36.1+rke2r1" }, says: "an RKE2 node"},
		"an EKS node":       {change: func(n *corev1.Node) { n.Labels["eks.amazonaws.com/nodegroup"] = "x" }, says: "an EKS node"},
		"a GKE node":        {change: func(n *corev1.Node) { n.Labels["cloud.google.com/gke-nodepool"] = "x" }, says: "a GKE node"},
		"an AKS node":       {change: func(n *corev1.Node) { n.Labels["kubernetes.azure.com/cluster"] = "x" }, says: "an AKS node"},
		"a Talos node":      {change: func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (v1.11)" }, says: "a Talos node"},
		"a Windows node":    {change: func(n *corev1.Node) { n.Status.NodeInfo.OperatingSystem = "windows" }, says: "a Windows node"},
		"no kubeadm-config": {noConf: true, says: "kubeadm did not make"},
		"a control plane":   {change: func(n *corev1.Node) { n.Labels["node-role.kubernetes.io/control-plane"] = "" }, says: "the only control-plane node"},
		"a dead kubelet":    {change: func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }, says: "does not answer"},
		"a missing verb":    {denied: []string{"delete nodes", "create pods"}, says: "delete nodes in all namespaces"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			node := worker()
			if c.change != nil {
				c.change(node)
			}
			objects := []runtime.Object{node}
			if !c.noConf {
				objects = append(objects, kubeadmConfig())
			}
			client := permissive(t, c.denied, objects...)
			_, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", RemoveOptions{Drain: drain.DefaultOptions()})
			if plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, hint %q, want %q", err, plan.HintOf(err), c.says)
			}
			for _, a := range client.Actions() {
				if verb := a.GetVerb(); verb != "get" && verb != "list" && a.GetResource().Resource != "selfsubjectaccessreviews" {
					t.Errorf("it did %s %s", verb, a.GetResource().Resource)
				}
			}
		})
	}
}

func TestAnUnknownNodeIsToldApart(t *testing.T) {
	_, err := PrepareRemove(t.Context(), runner.Cluster{Client: permissive(t, nil)}, "nope", RemoveOptions{})
	if !errors.Is(err, ErrNoNode) || plan.ClassOf(err) != plan.Refused {
		t.Errorf("error %v", err)
	}
}

func TestARunPastItsDrainIsTakenUpWithoutDraining(t *testing.T) {
	for phase, want := range map[wire.Phase]bool{
		wire.Preparing: false, wire.Ready: false, wire.Working: true, wire.Waiting: true, wire.Leaving: true, wire.Finished: true,
	} {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: runner.NameFor("w1"), Labels: map[string]string{runner.Label: "remove"}},
			Data:       map[string][]byte{wire.KeyOperation: []byte("remove"), wire.KeyPhase: []byte(phase), wire.KeyNode: []byte("w1")},
		}
		client := permissive(t, nil, worker(), kubeadmConfig(), secret)
		r, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", RemoveOptions{Drain: drain.DefaultOptions()})
		if err != nil {
			t.Fatalf("%s: %v", phase, err)
		}
		needed, err := r.Plan().Steps[2].Needed(t.Context())
		if err != nil || needed == want {
			t.Errorf("%s: drain needed %v", phase, needed)
		}
	}
}

func TestTheFactsOfAHostComeFromTheCluster(t *testing.T) {
	node := worker()
	node.Spec.PodCIDRs = []string{"10.244.1.0/24"}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}, {Type: corev1.NodeHostName, Address: "w1"}}
	proxy := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-proxy"}}
	proxy.Data = map[string]string{"config.conf": "kind: KubeProxyConfiguration\nmode: ipvs\nipvs:\n  excludeCIDRs: [198.51.100.0/24, fd00:1::/64]\n"}
	facts, err := hostFacts(t.Context(), fake.NewClientset(node, kubeadmConfig(), proxy), node)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(facts.PodCIDRs, " "); got != "10.244.0.0/16 fd00::/48" {
		t.Errorf("pod networks %q", got)
	}
	if got := strings.Join(facts.IPVSExclude, " "); got != "198.51.100.0/24 fd00:1::/64" {
		t.Errorf("networks that kube-proxy leaves alone: %q", got)
	}
	if strings.Join(facts.ServiceCIDRs, " ") != "10.96.0.0/12" || strings.Join(facts.NodeIPs, " ") != "192.0.2.1" {
		t.Errorf("facts %+v", facts)
	}
	proxy.Data["config.conf"] = "ipvs: [what is this"
	if _, err := hostFacts(t.Context(), fake.NewClientset(node, proxy), node); err == nil || !strings.Contains(err.Error(), "kube-system/kube-proxy") {
		t.Errorf("of a configuration that cannot be read: %v", err)
	}
	if facts, err := hostFacts(t.Context(), fake.NewClientset(node), node); err != nil || facts.IPVSExclude != nil {
		t.Errorf("without kube-proxy: %v, %v", facts.IPVSExclude, err)
	}
}

func TestADrainAndARemovalLeaveOutTheSamePods(t *testing.T) {
	yes := true
	own := func(change func(*corev1.Pod)) corev1.Pod {
		pod := corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "lifecycle-w1", Labels: map[string]string{runner.Label: "remove"},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Secret", Name: "lifecycle-w1"}}},
			Spec: corev1.PodSpec{NodeName: "w1", HostPID: true, Containers: []corev1.Container{{SecurityContext: &corev1.SecurityContext{Privileged: &yes}}}},
		}
		change(&pod)
		return pod
	}
	for name, c := range map[string]struct {
		pod  corev1.Pod
		want bool
	}{
		"the pod of a run":                  {own(func(*corev1.Pod) {}), true},
		"a tenant's pod that has the label": {own(func(p *corev1.Pod) { p.Namespace = "shop" }), false},
		"a pod without the label":           {own(func(p *corev1.Pod) { p.Labels = nil }), false},
		"a pod of another name":             {own(func(p *corev1.Pod) { p.Name = "web" }), false},
		"a pod that a controller makes": {own(func(p *corev1.Pod) {
			p.OwnerReferences[0] = metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Controller: &yes}
		}), false},
		"a labelled pod in another tenant's ns": {own(func(p *corev1.Pod) { p.Namespace, p.Name = "dev", "lifecycle-w1" }), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kube.IsRunner(&c.pod, ""); got != c.want {
				t.Errorf("a drain leaves it out: %t, want %t", got, c.want)
			}
			if got := len(others([]corev1.Pod{c.pod}, runner.Cluster{})) == 0; got != c.want {
				t.Errorf("a removal leaves it out: %t, want %t", got, c.want)
			}
		})
	}
}
