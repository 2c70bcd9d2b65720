// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func TestALabelAloneMakesNoRunnerPod(t *testing.T) {
	pod := func(namespace, name string, change ...func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{Label: "remove"}},
			Spec: corev1.PodSpec{NodeName: "worker-1"}}
		for _, c := range change {
			c(p)
		}
		return p
	}
	owned := func(kind, name string, controller *bool) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: kind, Name: name, Controller: controller}}
		}
	}
	unlabelled := pod("kube-system", "lifecycle-worker-1")
	unlabelled.Labels = nil
	otherLabel := pod("kube-system", "lifecycle-worker-1")
	otherLabel.Labels[Label] = "true"
	cases := map[string]struct {
		pod       *corev1.Pod
		namespace string
		want      bool
	}{
		"a run's": {pod("kube-system", "lifecycle-worker-1", owned("Secret", "lifecycle-worker-1",
			nil)), "", true},
		"a look's":                             {pod("kube-system", "lifecycle-worker-1-look"), "", true},
		"one in the namespace that was chosen": {pod("ops", "lifecycle-worker-1-look"), "ops", true},
		"a tenant's of that label":             {pod("dev", "web"), "", false},
		"a tenant's of that label and name":    {pod("dev", "lifecycle-worker-1"), "", false},
		"another one of kube-system":           {pod("kube-system", "web"), "", false},
		"one that is named for another node":   {pod("kube-system", "lifecycle-worker-2"), "", false},
		"one that a ReplicaSet makes again": {pod("kube-system", "lifecycle-worker-1", owned("ReplicaSet", "lifecycle-worker-1",
			new(true))), "", false},
		"one that something else owns": {pod("kube-system", "lifecycle-worker-1", owned("ConfigMap", "lifecycle-worker-1",
			nil)), "", false},
		"one that the record of another owns": {pod("kube-system", "lifecycle-worker-1", owned("Secret", "lifecycle-worker-2",
			nil)), "", false},
		"one without the label":                  {unlabelled, "", false},
		"one whose label is no operation":        {otherLabel, "", false},
		"one that is on no node":                 {pod("kube-system", "lifecycle-", func(p *corev1.Pod) { p.Spec.NodeName = "" }), "", false},
		"one in kube-system where runs are else": {pod("kube-system", "lifecycle-worker-1"), "ops", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := IsRunnerPod(c.pod, c.namespace); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A new operation is one more entry of the list: its pods and what it left are known.
func TestAnOperationThatIsAddedIsKnown(t *testing.T) {
	made := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "lifecycle-worker-1",
		Labels: map[string]string{Label: "polish"}}, Spec: corev1.PodSpec{NodeName: "worker-1"}}
	if isRunnerPod(made, "", Operations()) {
		t.Error("its pod is known before it is added")
	}
	all := append(Operations(), Operation{Name: "polish", Recorded: true})
	if !isRunnerPod(made, "", all) {
		t.Error("its pod is not known")
	}
	if got, known := find(all, "polish"); !known || !got.Recorded {
		t.Errorf("got %+v, %v", got, known)
	}
}

func TestARunsNamespaceIsNoTenants(t *testing.T) {
	space := func(name, level string) *corev1.Namespace {
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if level != "" {
			n.Labels = map[string]string{kube.EnforceLabel: level}
		}
		return n
	}
	record := held(wire.Remove, wire.Finished)
	record.Namespace = "team"
	for name, c := range map[string]struct {
		namespace string
		says      string
	}{
		"kube-system needs no label":       {"", ""},
		"one for privileged pods is taken": {"ops", ""},
		"one without a label, as those of tenants are": {"team",
			"kubectl label namespace team pod-security.kubernetes.io/enforce=privileged"},
		"one that is restricted":                               {"strict", "kubectl label namespace strict"},
		"one with a level that is none":                        {"odd", "kubectl label namespace odd"},
		"one that does not exist: nothing is made of the name": {"none", "leave out --namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(space("ops", "privileged"), space("team", ""), space("strict", "restricted"),
				space("odd", "Privileged"), record)
			cluster := Cluster{Client: client, Namespace: c.namespace}
			_, _, getErr := Get(t.Context(), cluster, "worker-1")
			_, listErr := List(t.Context(), cluster)
			_, askErr := RunOnce(t.Context(), cluster, node("riscv64"), Question{Operation: wire.Inspect}, quiet)
			_, beginErr := Begin(t.Context(), cluster, Task{Node: node("riscv64"), Owner: Owner{Operation: wire.Remove}}, quiet)
			for what, err := range map[string]error{"get": getErr, "list": listErr, "ask": askErr, "begin": beginErr} {
				refused := plan.ClassOf(err) == plan.Refused && !strings.Contains(err.Error(), "riscv64")
				if refused != (c.says != "") || c.says != "" && !strings.Contains(plan.HintOf(err), c.says) {
					t.Errorf("%s: %v, hint %q", what, err, plan.HintOf(err))
				}
			}
			if got, err := client.CoreV1().Secrets("team").Get(t.Context(), record.Name, metav1.GetOptions{}); err != nil || got.UID != record.UID {
				t.Errorf("the Secret there was touched: %v", err)
			}
		})
	}
}
