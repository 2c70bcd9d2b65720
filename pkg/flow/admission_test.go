// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// freeze is a policy that denies what its rule matches, with its binding.
func freeze(rule admissionv1.RuleWithOperations) []runtime.Object {
	return []runtime.Object{
		&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "freeze"}, Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: rule}}}}},
		&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "freeze-all"},
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "freeze",
				ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}}},
	}
}

// Each way in which a node leaves its cluster cordons it and evicts pods.
func TestWhoMayDenyADepartureIsNamedBeforeIt(t *testing.T) {
	pod := labelled("web", "ReplicaSet", nil)
	options := drain.DefaultOptions()
	options.Force = true
	ways := map[string]func(runner.Cluster) ([]string, error){
		"remove": func(c runner.Cluster) ([]string, error) {
			r, err := PrepareRemove(t.Context(), c, "w1", Request{Drain: options})
			return r.Warnings, err
		},
		"remove of several": func(c runner.Cluster) ([]string, error) {
			b, err := PrepareBatch(t.Context(), c, []string{"w1", "w2"}, Request{Drain: options})
			if err != nil {
				return nil, err
			}
			all := b.Warnings
			for _, r := range b.All() {
				all = append(all, r.Warnings...)
			}
			return all, nil
		},
		"move": func(c runner.Cluster) ([]string, error) {
			m := moveOf(c, Destination{Name: "there"})
			m.request.Drain = options
			err := m.prepare(t.Context(), "w1")
			return m.Warnings, err
		},
	}
	for name, tc := range map[string]struct {
		objects  []runtime.Object
		cordoned bool
		want     string
	}{
		"a policy for nodes": {objects: freeze(kubetest.RuleOf("nodes", admissionv1.Update)),
			want: "ValidatingAdmissionPolicy freeze (binding freeze-all) is asked for changes of nodes and may deny them"},
		"a policy for nodes that are cordoned already": {objects: freeze(kubetest.RuleOf("nodes", admissionv1.Update)), cordoned: true},
		"a policy for evictions": {objects: freeze(kubetest.RuleOf("pods/eviction", admissionv1.Create)),
			want: "is asked for evictions"},
		"a webhook for nodes that is down": {objects: []runtime.Object{kubetest.Guarding(kubetest.RuleOf("nodes", admissionv1.Update), nil)},
			want: "webhook guard.example.com of validatingwebhookconfiguration drain-guard is asked for changes of nodes and cannot answer"},
		"neither": {},
	} {
		for way, ask := range ways {
			t.Run(way+", "+name, func(t *testing.T) {
				one, two := flowtest.Worker(), flowtest.Worker()
				two.Name, two.UID = "w2", types.UID("2")
				one.Spec.Unschedulable, two.Spec.Unschedulable = tc.cordoned, tc.cordoned
				objects := append([]runtime.Object{one, two, flowtest.KubeadmConfig(), &pod}, tc.objects...)
				warnings, err := ask(runner.Cluster{Client: flowtest.Permissive(t, nil, objects...)})
				if err != nil {
					t.Fatal(err)
				}
				said := strings.Join(warnings, "\n")
				if (said == "") != (tc.want == "") || said != "" && strings.Count(said, tc.want) != 1 {
					t.Errorf("warnings %q, want %q once", warnings, tc.want)
				}
			})
		}
	}
}

// A policy that keeps the Node from being deleted is found before anything is changed: in a
// rehearsal, and when a removal begins.
func TestADeniedDeletionIsFoundBeforeAnythingIsChanged(t *testing.T) {
	for name, try := range map[string]func(r *Removal) error{
		"a rehearsal": func(r *Removal) error { _, err := r.Rehearse(t.Context(), plan.Discard); return err },
		"a removal":   func(r *Removal) error { _, err := r.Plan().Run(t.Context(), plan.Discard); return err },
	} {
		client := flowtest.Permissive(t, nil, flowtest.Worker(), flowtest.KubeadmConfig())
		client.PrependReactor("delete", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, kubetest.ByVAP(403, metav1.StatusReasonForbidden, "no deletions in a freeze")
		})
		client.PrependReactor("patch", "nodes", func(a clienttesting.Action) (bool, runtime.Object, error) {
			cordoned := flowtest.Worker() // as the server answers a dry run, which the tracker would take for a change
			cordoned.Spec.Unschedulable = true
			return len(a.(clienttesting.PatchActionImpl).PatchOptions.DryRun) > 0, cordoned, nil
		})
		r, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", Request{Drain: drain.DefaultOptions()})
		if err != nil {
			t.Fatal(err)
		}
		if err = try(r); plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "no deletions in a freeze") {
			t.Errorf("%s: %v", name, err)
		}
		for _, a := range client.Actions() {
			if a.Matches("create", "pods") || a.Matches("create", "secrets") {
				t.Errorf("%s: %s %s", name, a.GetVerb(), a.GetResource().Resource)
			}
		}
		if node, err := client.CoreV1().Nodes().Get(t.Context(), "w1", metav1.GetOptions{}); err != nil || node.Spec.Unschedulable {
			t.Errorf("%s: the node was changed: %v", name, err)
		}
	}
}

// With --dry-run=server the server itself is asked, before a pod is started on the node.
func TestARehearsalAsksTheServerForTheCordonFirst(t *testing.T) {
	client := flowtest.Permissive(t, nil, flowtest.Worker(), flowtest.KubeadmConfig())
	client.PrependReactor("patch", "nodes", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if dry := a.(clienttesting.PatchActionImpl).PatchOptions.DryRun; len(dry) != 1 || dry[0] != metav1.DryRunAll {
			t.Errorf("the node is patched with dryRun=%v", dry)
		}
		return true, nil, kubetest.ByVAP(403, metav1.StatusReasonForbidden, "no cordons in a freeze")
	})
	r, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", Request{Drain: drain.DefaultOptions()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Rehearse(t.Context(), plan.Discard)
	if err == nil || !strings.Contains(err.Error(), "no cordons in a freeze") || plan.HintOf(err) == "" {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
	for _, a := range client.Actions() {
		if a.Matches("create", "pods") {
			t.Error("a pod was made")
		}
	}
	node, err := client.CoreV1().Nodes().Get(t.Context(), "w1", metav1.GetOptions{})
	if err != nil || node.Spec.Unschedulable {
		t.Errorf("cordoned: %v, %v", node.Spec.Unschedulable, err)
	}
}
