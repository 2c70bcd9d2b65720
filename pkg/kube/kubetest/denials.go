// SPDX-License-Identifier: Apache-2.0

package kubetest

import (
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// RuleOf is the rule of a webhook or policy for one operation on a resource.
func RuleOf(resource string, operation admissionv1.OperationType) admissionv1.RuleWithOperations {
	return admissionv1.RuleWithOperations{Operations: []admissionv1.OperationType{operation}, Rule: admissionv1.Rule{APIGroups: []string{""},
		APIVersions: []string{"v1"}, Resources: []string{resource}}}
}

// Guarding is a webhook served by hunt/guard.
func Guarding(rule admissionv1.RuleWithOperations,
	change func(*admissionv1.ValidatingWebhook)) *admissionv1.ValidatingWebhookConfiguration {
	w := admissionv1.ValidatingWebhook{
		Name: "guard.example.com", Rules: []admissionv1.RuleWithOperations{rule},
		ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "hunt", Name: "guard"}},
	}
	if change != nil {
		change(&w)
	}
	return &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "drain-guard"},
		Webhooks: []admissionv1.ValidatingWebhook{w}}
}

// Said is an error as the server sends it.
func Said(code int32, reason metav1.StatusReason, kind, message string, causes ...metav1.StatusCause) error {
	details := &metav1.StatusDetails{Kind: kind, Name: "a", Causes: causes}
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
		Details: details}}
}

// NoRight is what the authorizer says (Kubernetes 1.37, responsewriters).
func NoRight(verb, resource string) error {
	return Said(403, metav1.StatusReasonForbidden, "nodes",
		fmt.Sprintf(`nodes "a" is forbidden: User "ann" cannot %s resource %q in API group "" at the cluster scope`, verb, resource))
}

// ByAdmission is what admission.NewForbidden makes of a reason.
func ByAdmission(why string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "w1", errors.New(why))
}

// ByVAP is what a ValidatingAdmissionPolicy makes (Kubernetes 1.30 to 1.37,
// policy/validating/dispatcher.go): the frame of a 403, whatever code it has.
func ByVAP(code int32, reason metav1.StatusReason, why string) error {
	text := "ValidatingAdmissionPolicy 'freeze' with binding 'freeze-all' denied request: " + why
	return Said(code, reason, "pods", `pods "a" is forbidden: `+text, metav1.StatusCause{Message: text})
}

// Calling is what a webhook that cannot be asked makes (webhook/validating/dispatcher.go).
func Calling(why string) error {
	return apierrors.NewInternalError(errors.New(`failed calling webhook "guard.example.com": failed to call webhook: ` + why))
}

// GuardURL begins what the server says of the webhook that Calling names.
const GuardURL = `Post "https://gone.hunt.svc:443/?timeout=2s": `

// AnswerWith makes every request of that verb and resource fail.
func AnswerWith(client *fake.Clientset, verb, resource string, err error) {
	client.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, err })
}
