// SPDX-License-Identifier: Apache-2.0

package netswitch

import (
	"errors"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
)

// rule is one of resources of a group.
func rule(group string, resources ...string) []admissionv1.RuleWithOperations {
	return []admissionv1.RuleWithOperations{{Operations: []admissionv1.OperationType{admissionv1.Create},
		Rule: admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: resources}}}
}

func TestWritesOfPodsFailWhileAWebhookHasNoNetwork(t *testing.T) {
	inside := admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "guard", Name: "guard"}}
	outside := admissionv1.WebhookClientConfig{URL: new("https://guard.example.com")}
	for name, tc := range map[string]struct {
		where  admissionv1.WebhookClientConfig
		policy *admissionv1.FailurePolicyType
		rules  []admissionv1.RuleWithOperations
		want   bool
	}{
		"one of pods that must answer":         {inside, new(admissionv1.Fail), rule("", "pods"), true},
		"one without a policy":                 {inside, nil, rule("", "pods"), true},
		"one of everything":                    {inside, nil, rule("*", "*/*"), true},
		"one of evictions":                     {inside, nil, rule("", "configmaps", "pods/eviction"), true},
		"one whose failures are ignored":       {inside, new(admissionv1.Ignore), rule("", "pods"), false},
		"one outside of the cluster":           {outside, nil, rule("", "pods"), false},
		"one of other things":                  {inside, nil, rule("", "services"), false},
		"one of a group that has its own pods": {inside, nil, rule("metrics.k8s.io", "pods"), false},
	} {
		if got := fails(tc.where, tc.policy, tc.rules); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestWebhooksAreNamedAsFarAsTheyMayBeListed(t *testing.T) {
	inside := admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "guard", Name: "guard"}}
	client := fake.NewClientset(
		&admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "guard"},
			Webhooks: []admissionv1.ValidatingWebhook{{ClientConfig: inside, Rules: rule("", "nodes")},
				{ClientConfig: inside, Rules: rule("", "pods")}}},
		&admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "nodes"},
			Webhooks: []admissionv1.ValidatingWebhook{{ClientConfig: inside, Rules: rule("", "nodes")}}},
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "sidecar"},
			Webhooks: []admissionv1.MutatingWebhook{{ClientConfig: inside, Rules: rule("*", "*")}}})
	want := []string{"validatingwebhookconfiguration/guard", "mutatingwebhookconfiguration/sidecar"}
	if got, err := Webhooks(t.Context(), client); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	client.PrependReactor("list", "validatingwebhookconfigurations", func(ktesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource("validatingwebhookconfigurations"), "", errors.New("no"))
	})
	if got, err := Webhooks(t.Context(), client); err == nil || !strings.Contains(err.Error(), "validatingwebhookconfigurations") ||
		!slices.Equal(got, want[1:]) {
		t.Errorf("%q, %v", got, err)
	}
}
