// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

func servedBy(pods ...types.UID) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "hunt", Name: "guard-x",
		Labels: map[string]string{discoveryv1.LabelServiceName: "guard"}}}
	for _, uid := range pods {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{TargetRef: &corev1.ObjectReference{Kind: "Pod", UID: uid}})
	}
	return s
}

func freezing(rule admissionv1.RuleWithOperations, action admissionv1.ValidationAction, space string) []runtime.Object {
	b := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "freeze-all"},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "freeze", ValidationActions: []admissionv1.ValidationAction{action}}}
	if space != "" {
		only := metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": space}}
		b.Spec.MatchResources = &admissionv1.MatchResources{NamespaceSelector: &only}
	}
	return []runtime.Object{b, &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "freeze"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: rule}}},
		}}}
}

// changed changes what a policy of freezing, and its binding, are for.
func changed(objects []runtime.Object, change func(*admissionv1.MatchResources,
	*admissionv1.ValidatingAdmissionPolicyBindingSpec)) []runtime.Object {
	b, p := objects[0].(*admissionv1.ValidatingAdmissionPolicyBinding), objects[1].(*admissionv1.ValidatingAdmissionPolicy)
	change(p.Spec.MatchConstraints, &b.Spec)
	return objects
}

// outside makes a webhook one that is not served by a service of the cluster.
func outside(w *admissionv1.ValidatingWebhook) {
	url := "https://guard.example.com/evictions"
	w.ClientConfig = admissionv1.WebhookClientConfig{URL: &url}
}

// when makes a webhook outside of the cluster one with conditions.
func when(expressions ...string) func(*admissionv1.ValidatingWebhook) {
	return func(w *admissionv1.ValidatingWebhook) {
		outside(w)
		for _, e := range expressions {
			w.MatchConditions = append(w.MatchConditions, admissionv1.MatchCondition{Name: "c", Expression: e})
		}
	}
}

// mutating is the webhook of kubetest.Guarding as a mutating one.
func mutating(rule admissionv1.RuleWithOperations) *admissionv1.MutatingWebhookConfiguration {
	w := kubetest.Guarding(rule, nil).Webhooks[0]
	return &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "drain-guard"},
		Webhooks: []admissionv1.MutatingWebhook{{Name: w.Name, Rules: w.Rules, ClientConfig: w.ClientConfig}}}
}

func TestWhoMayDenyADrainIsKnownBefore(t *testing.T) {
	evictions, ignore := kubetest.RuleOf("pods/eviction", admissionv1.Create), admissionv1.Ignore
	labelled := &metav1.LabelSelector{MatchLabels: map[string]string{"guarded": "yes"}}
	ignored := func(w *admissionv1.ValidatingWebhook) { w.FailurePolicy = &ignore }
	for _, tc := range []struct {
		name    string
		objects []runtime.Object
		want    string
	}{
		{"a webhook without a ready endpoint", []runtime.Object{kubetest.Guarding(evictions, nil)},
			"webhook guard.example.com of validatingwebhookconfiguration drain-guard is asked for evictions and cannot answer: service hunt/guard " +
				"has no ready endpoint"},
		{"one that is not needed", []runtime.Object{kubetest.Guarding(evictions,
			func(w *admissionv1.ValidatingWebhook) { w.FailurePolicy = &ignore })}, ""},
		{"one for other namespaces", []runtime.Object{kubetest.Guarding(evictions, func(w *admissionv1.ValidatingWebhook) {
			w.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "other"}}
		})}, ""},
		{"one for namespaces with a label that is not known",
			[]runtime.Object{kubetest.Guarding(evictions, func(w *admissionv1.ValidatingWebhook) {
				w.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"guarded": "yes"}}
			})}, "cannot answer"},
		{"one for everything", []runtime.Object{kubetest.Guarding(kubetest.RuleOf("*/*", admissionv1.OperationAll), nil)}, "cannot answer"},
		{"one for pods alone is not asked", []runtime.Object{kubetest.Guarding(kubetest.RuleOf("pods", admissionv1.Delete), nil)}, ""},
		{"its own pods leave", []runtime.Object{kubetest.Guarding(evictions, nil), servedBy("uid-a")},
			"all pods that serve it (service hunt/guard) leave with this drain"},
		{"one of its pods stays", []runtime.Object{kubetest.Guarding(evictions, nil), servedBy("uid-a", "uid-elsewhere")},
			"webhook guard.example.com of validatingwebhookconfiguration drain-guard is asked for evictions and may deny them"},
		{"that its errors are ignored is about errors", []runtime.Object{kubetest.Guarding(evictions, ignored), servedBy("uid-elsewhere")},
			"is asked for evictions and may deny them"},
		{"its errors are ignored, and its own pods leave", []runtime.Object{kubetest.Guarding(evictions, ignored), servedBy("uid-a")},
			"may deny"},
		{"one outside of the cluster", []runtime.Object{kubetest.Guarding(evictions, outside)}, "may deny"},
		{"a mutating one", []runtime.Object{mutating(evictions), servedBy("uid-elsewhere")},
			"webhook guard.example.com of mutatingwebhookconfiguration drain-guard is asked for evictions and may deny them"},
		{"one for objects with a label, which no Eviction has", []runtime.Object{kubetest.Guarding(evictions,
			func(w *admissionv1.ValidatingWebhook) { outside(w); w.ObjectSelector = labelled }), servedBy("uid-elsewhere")}, ""},
		{"one for objects without a label", []runtime.Object{kubetest.Guarding(evictions, func(w *admissionv1.ValidatingWebhook) {
			outside(w)
			w.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "skip", Operator: metav1.LabelSelectorOpDoesNotExist}}}
		})}, "may deny"},
		{"its condition leaves evictions out", []runtime.Object{kubetest.Guarding(evictions, when(`request.subResource != "eviction"`))}, ""},
		{"one of its conditions leaves evictions out", []runtime.Object{kubetest.Guarding(evictions, when("object.metadata.name != 'x'",
			"request.resource.resource == 'pods' && request.operation == 'DELETE'"))}, ""},
		{"its condition is for evictions", []runtime.Object{kubetest.Guarding(evictions,
			when("request.operation == 'CREATE' && request.subResource == 'eviction' && request.kind.group == 'policy'"))}, "may deny"},
		{"its condition is not read", []runtime.Object{kubetest.Guarding(evictions,
			when("!(request.dryRun && request.operation == 'DELETE' && true)"))}, "may deny"},
		{"its condition has an alternative", []runtime.Object{kubetest.Guarding(evictions,
			when("request.operation == 'DELETE' || request.operation == 'CREATE'"))}, "may deny"},
		{"its condition has a comment", []runtime.Object{kubetest.Guarding(evictions,
			when("true // && request.operation == 'DELETE'"))}, "may deny"},
		{"one elsewhere for other namespaces", []runtime.Object{kubetest.Guarding(evictions, func(w *admissionv1.ValidatingWebhook) {
			outside(w)
			w.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "other"}}
		})}, ""},
		{"one outside of the cluster for the deletion of pods", []runtime.Object{kubetest.Guarding(kubetest.RuleOf("pods", admissionv1.Delete),
			outside)}, ""},
		{"a policy for objects with a label", changed(freezing(evictions, admissionv1.Deny, ""),
			func(p *admissionv1.MatchResources, _ *admissionv1.ValidatingAdmissionPolicyBindingSpec) {
				p.ObjectSelector = labelled
			}), ""},
		{"a policy that is for another namespace itself", changed(freezing(evictions, admissionv1.Deny, ""),
			func(p *admissionv1.MatchResources, _ *admissionv1.ValidatingAdmissionPolicyBindingSpec) {
				p.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "other"}}
			}), ""},
		{"a policy", freezing(evictions, admissionv1.Deny, ""),
			"ValidatingAdmissionPolicy freeze (binding freeze-all) is asked for evictions and may deny them"},
		{"a policy of the namespace", freezing(evictions, admissionv1.Deny, "shop"), "may deny"},
		{"a policy of another namespace", freezing(evictions, admissionv1.Deny, "other"), ""},
		{"a policy for everything but evictions", changed(freezing(kubetest.RuleOf("*/*", admissionv1.OperationAll), admissionv1.Deny, ""),
			func(p *admissionv1.MatchResources, _ *admissionv1.ValidatingAdmissionPolicyBindingSpec) {
				p.ExcludeResourceRules = []admissionv1.NamedRuleWithOperations{{RuleWithOperations: evictions}}
			}), ""},
		{"a policy for everything but one eviction", changed(freezing(kubetest.RuleOf("*/*", admissionv1.OperationAll), admissionv1.Deny, ""),
			func(p *admissionv1.MatchResources, _ *admissionv1.ValidatingAdmissionPolicyBindingSpec) {
				p.ExcludeResourceRules = []admissionv1.NamedRuleWithOperations{{ResourceNames: []string{"a"}, RuleWithOperations: evictions}}
			}), "may deny"},
		{"a policy for everything whose binding is for pods", changed(freezing(kubetest.RuleOf("*/*", admissionv1.OperationAll),
			admissionv1.Deny, ""), func(_ *admissionv1.MatchResources, b *admissionv1.ValidatingAdmissionPolicyBindingSpec) {
			b.MatchResources = &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				{RuleWithOperations: kubetest.RuleOf("pods", admissionv1.Create)}}}
		}), ""},
		{"a policy that warns only", freezing(evictions, admissionv1.Warn, ""), ""},
		{"a policy for nodes that are cordoned already", freezing(kubetest.RuleOf("nodes", admissionv1.Update), admissionv1.Deny, ""), ""},
		{"nothing", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := kubetest.NewClient(append(tc.objects, kubetest.Pod("a"), kubetest.ReplicaSet())...)
			got := ReadAdmission(t.Context(), client).Warnings(decideOn(t, client, DefaultOptions()))
			if text := strings.Join(got, "\n"); (text == "") != (tc.want == "") || !strings.Contains(text, tc.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAPolicyForNodesIsNamedBeforeACordon(t *testing.T) {
	a := Admission{policies: []policy{{name: "freeze", binding: "b"}}}
	d := Decision{Nodes: []NodeState{{Name: kubetest.TheNode}}}
	if got := a.Warnings(d); len(got) != 1 || !strings.Contains(got[0], "changes of nodes") {
		t.Errorf("got %q", got)
	}
}

func TestWhatMayNotBeReadIsNotKnown(t *testing.T) {
	client := kubetest.NewClient(kubetest.Pod("a"), kubetest.ReplicaSet())
	for _, kind := range []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies"} {
		kubetest.AnswerWith(client, "list", kind, kubetest.NoRight("list", kind))
	}
	got := ReadAdmission(t.Context(), client).Warnings(decideOn(t, client, DefaultOptions()))
	if len(got) != 1 || !strings.Contains(got[0],
		"is not known: you may not list validatingwebhookconfigurations, mutatingwebhookconfigurations, validatingadmissionpolicies") {
		t.Errorf("got %q", got)
	}
}

func TestTheConfigurationOfAWebhookIsFound(t *testing.T) {
	client := kubetest.NewClient(kubetest.Guarding(kubetest.RuleOf("nodes", admissionv1.Update), nil))
	d := Locate(t.Context(), client, ReadDenial(kubetest.Calling(kubetest.GuardURL+"EOF"), Right{"patch", "nodes"}))
	if !strings.Contains(d.By, "webhook guard.example.com (service hunt/gone) of validatingwebhookconfiguration drain-guard") ||
		!strings.Contains(d.WayOut, "kubectl get validatingwebhookconfiguration drain-guard -o yaml") {
		t.Errorf("got %+v", d)
	}
	before := len(client.Actions())
	Locate(t.Context(), client, ReadDenial(kubetest.NoRight("patch", "nodes"), Right{"patch", "nodes"}))
	if len(client.Actions()) != before {
		t.Error("it asks although no webhook denies")
	}
}
