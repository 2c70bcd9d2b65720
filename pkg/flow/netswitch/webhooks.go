// SPDX-License-Identifier: Apache-2.0

package netswitch

import (
	"cmp"
	"context"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// Webhooks names the configurations with a webhook that must answer (failurePolicy: Fail)
// before pods are made, changed or evicted, and that answers from the cluster: between the
// two networks its own pods have none, and what it is asked for fails. What may not be
// listed is an error; the names are what was read.
func Webhooks(ctx context.Context, client kubernetes.Interface) (names []string, err error) {
	api := client.AdmissionregistrationV1()
	validating, err1 := api.ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err1 != nil {
		err1 = kube.UnreadList(err1, "validatingwebhookconfigurations")
	} else {
		for _, c := range validating.Items {
			if slices.ContainsFunc(c.Webhooks, func(w admissionv1.ValidatingWebhook) bool {
				return fails(w.ClientConfig, w.FailurePolicy, w.Rules)
			}) {
				names = append(names, "validatingwebhookconfiguration/"+c.Name)
			}
		}
	}
	mutating, err2 := api.MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err2 != nil {
		err2 = kube.UnreadList(err2, "mutatingwebhookconfigurations")
	} else {
		for _, c := range mutating.Items {
			if slices.ContainsFunc(c.Webhooks, func(w admissionv1.MutatingWebhook) bool {
				return fails(w.ClientConfig, w.FailurePolicy, w.Rules)
			}) {
				names = append(names, "mutatingwebhookconfiguration/"+c.Name)
			}
		}
	}
	return names, cmp.Or(err1, err2)
}

// fails reports whether writes of pods fail while the pods of a webhook have no network.
// Without a policy the API server's is Fail.
func fails(where admissionv1.WebhookClientConfig, policy *admissionv1.FailurePolicyType, rules []admissionv1.RuleWithOperations) bool {
	return where.Service != nil && (policy == nil || *policy == admissionv1.Fail) && slices.ContainsFunc(rules, ofPods)
}

// ofPods reports whether a rule matches pods, or what is below them, as an eviction.
func ofPods(r admissionv1.RuleWithOperations) bool {
	return slices.ContainsFunc(r.APIGroups, func(group string) bool { return group == "" || group == "*" }) &&
		slices.ContainsFunc(r.Resources, func(resource string) bool {
			kind, _, _ := strings.Cut(resource, "/")
			return kind == "pods" || kind == "*"
		})
}
