// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// removalOf is a removal of which only the node was read.
func removalOf(node *corev1.Node, cluster runner.Cluster) *Removal {
	r := newRemoval(cluster, Request{Drain: drain.DefaultOptions()}, removal())
	r.Node = node
	return r
}

func TestTheRecipeOfARemovalDeletesTheNodeOnlyAfterTheHost(t *testing.T) {
	got := removalOf(flowtest.Worker(), runner.Cluster{}).Plan().IDs()
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
		"an EKS node":       {change: func(n *corev1.Node) { n.Labels["eks.amazonaws.com/nodegroup"] = "x" }, says: "an Amazon EKS node"},
		"a GKE node":        {change: func(n *corev1.Node) { n.Labels["cloud.google.com/gke-nodepool"] = "x" }, says: "a Google GKE node"},
		"an AKS node":       {change: func(n *corev1.Node) { n.Labels["kubernetes.azure.com/cluster"] = "x" }, says: "an Azure AKS node"},
		"a Talos node":      {change: func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (v1.11)" }, says: "a Talos node"},
		"a Windows node":    {change: func(n *corev1.Node) { n.Status.NodeInfo.OperatingSystem = "windows" }, says: "a Windows node"},
		"no kubeadm-config": {noConf: true, says: "kubeadm did not make"},
		"a control plane": {change: func(n *corev1.Node) { n.Labels["node-role.kubernetes.io/control-plane"] = "" },
			says: "the only control-plane node"},
		"a dead kubelet": {change: func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }, says: "does not answer"},
		"a missing verb": {denied: []string{"delete nodes", "create pods"}, says: "delete nodes in all namespaces"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			node := flowtest.Worker()
			if c.change != nil {
				c.change(node)
			}
			objects := []runtime.Object{node}
			if !c.noConf {
				objects = append(objects, flowtest.KubeadmConfig())
			}
			client := flowtest.Permissive(t, c.denied, objects...)
			_, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", Request{Drain: drain.DefaultOptions()})
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
	_, err := PrepareRemove(t.Context(), runner.Cluster{Client: flowtest.Permissive(t, nil)}, "nope", Request{})
	if !errors.Is(err, kubenode.ErrNotFound) || plan.ClassOf(err) != plan.Refused {
		t.Errorf("error %v", err)
	}
}

func TestARunPastItsDrainIsTakenUpWithoutDraining(t *testing.T) {
	for phase, want := range map[wire.Phase]bool{
		wire.Preparing: false, wire.Ready: false, wire.Working: true, wire.Waiting: true, wire.Leaving: true, wire.Finished: true,
	} {
		secret := flowtest.Record("w1", wire.Remove, phase)
		client := flowtest.Permissive(t, nil, flowtest.Worker(), flowtest.KubeadmConfig(), secret)
		r, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", Request{Drain: drain.DefaultOptions()})
		if err != nil {
			t.Fatalf("%s: %v", phase, err)
		}
		needed, err := r.Plan().Steps[2].Needed(t.Context())
		if err != nil || needed == want {
			t.Errorf("%s: drain needed %v", phase, needed)
		}
	}
}

func TestADrainAndARemovalLeaveOutTheSamePods(t *testing.T) {
	yes := true
	own := func(change func(*corev1.Pod)) corev1.Pod {
		pod := corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "lifecycle-w1", Labels: map[string]string{runner.Label: "remove"},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Secret", Name: "lifecycle-w1"}}},
			Spec: corev1.PodSpec{NodeName: "w1", HostPID: true,
				Containers: []corev1.Container{{SecurityContext: &corev1.SecurityContext{Privileged: &yes}}}},
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
		"a pod that is named for another node": {own(func(p *corev1.Pod) { p.Name = "lifecycle-w2" }), false},
		"a pod whose name begins alike":        {own(func(p *corev1.Pod) { p.Name = "lifecycle-w1-web" }), false},
		"a pod that is on no node":             {own(func(p *corev1.Pod) { p.Spec.NodeName = "" }), false},
		"the pod of a look": {own(func(p *corev1.Pod) {
			p.Name, p.OwnerReferences, p.Labels[runner.Label] = "lifecycle-w1-look", nil, "inspect"
		}), true},
		"a pod that something else owns":        {own(func(p *corev1.Pod) { p.OwnerReferences[0].Kind = "ConfigMap" }), false},
		"a pod of another's record":             {own(func(p *corev1.Pod) { p.OwnerReferences[0].Name = "lifecycle-w2" }), false},
		"a labelled pod in another tenant's ns": {own(func(p *corev1.Pod) { p.Namespace, p.Name = "dev", "lifecycle-w1" }), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kube.IsRunner(&c.pod, ""); got != c.want {
				t.Errorf("a drain leaves it out: %t, want %t", got, c.want)
			}
			if got := len(runner.Others([]corev1.Pod{c.pod}, "")) == 0; got != c.want {
				t.Errorf("a removal leaves it out: %t, want %t", got, c.want)
			}
		})
	}
}
