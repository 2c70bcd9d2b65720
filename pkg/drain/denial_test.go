// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestADenialIsReadForWhatItIs(t *testing.T) {
	for _, tc := range []struct {
		name  string
		err   error
		cause Cause
		may   bool
		says  []string
		way   string
	}{
		{"a policy with its default reason", kubetest.ByVAP(422, metav1.StatusReasonInvalid, "ask team web first"), CausePolicy, true,
			[]string{"ValidatingAdmissionPolicy freeze (binding freeze-all) denies it: ask team web first"}, "kubectl get " +
				"validatingadmissionpolicy freeze -o yaml"},
		{"a policy with reason Forbidden", kubetest.ByVAP(403, metav1.StatusReasonForbidden, "no"), CausePolicy, true,
			[]string{"Policy freeze", "no"}, "validatingadmissionpolicybinding freeze-all"},
		{"a policy with reason Unauthorized is no lack of credentials", kubetest.ByVAP(401, metav1.StatusReasonUnauthorized, "no"), CausePolicy,
			true, []string{"freeze"}, "the policy decides"},
		{"a policy with reason RequestEntityTooLarge", kubetest.ByVAP(413, metav1.StatusReasonRequestEntityTooLarge, "no"), CausePolicy, true,
			[]string{"freeze"}, "the policy decides"},
		{"a policy without a binding in the message", kubetest.Said(422, "Invalid", "nodes",
			`nodes "w1" is forbidden: ValidatingAdmissionPolicy 'freeze' denied request: no`), CausePolicy, true,
			[]string{"ValidatingAdmissionPolicy freeze denies it: no"}, "freeze"},
		{"a policy that lacks its parameters", kubetest.Said(403, "Forbidden", "nodes",
			`policy 'freeze' with binding 'b' denied request: failed to configure binding: no params found for policy binding with `+
				"`Deny` parameterNotFoundAction"),
			CausePolicy, true, []string{"admission policy freeze (binding b)", "no params found"},
			"kubectl get mutatingadmissionpolicies,validatingadmissionpolicies"},
		{"a mutating policy that is not well", kubetest.Said(403, "Invalid", "nodes",
			`policy "mutate" denied request: failed to configure policy: x`), CausePolicy, true, []string{"admission policy " +
			"mutate"}, "mutatingadmissionpolicies"},
		{"a policy that speaks like an authorizer", kubetest.ByVAP(403, "Forbidden", `User "ann" cannot create resource "pods/eviction"`),
			CausePolicy, true, []string{"freeze"}, "the policy decides"},
		{"a webhook that denies", kubetest.Said(400, "", "", `admission webhook "move.example.com" denied the request: later`), CauseWebhook,
			true, []string{"webhook move.example.com denies it: later"}, "validatingwebhookconfigurations"},
		{"a webhook that denies without a word",
			kubetest.Said(403, "", "", `admission webhook "move.example.com" denied the request without explanation`), CauseWebhook, true,
			[]string{"move.example.com", "without explanation"}, "the webhook decides"},
		{"a webhook that denies with 429 is no busy server", kubetest.Said(429, "TooManyRequests", "",
			`admission webhook "virt" denied the request: evacuating`), CauseWebhook, true, []string{"evacuating"}, "the webhook decides"},
		{"a webhook that denies with 500 is no broken server", kubetest.Said(500, "InternalError", "",
			`admission webhook "virt" denied the request: no`), CauseWebhook, true, []string{"virt"}, "the webhook decides"},
		{"a webhook that knows no dry run", apierrors.NewBadRequest(`admission webhook "virt" does not support dry run`), CauseWebhook, true,
			[]string{"it does not support dry run"}, "the webhook decides"},
		{"Kyverno", kubetest.Said(400, "", "",
			"admission webhook \"validate.kyverno.svc-fail\" denied the request: \n\nresource Pod/shop/a was blocked due to the following "+
				"policies \n\nno-evictions:\n  check: 'validation error: ask first'"), CauseWebhook, true, []string{"Kyverno policy no-evictions " +
			"(webhook validate.kyverno.svc-fail)", "ask first"}, "kubectl get clusterpolicies"},
		{"Gatekeeper", kubetest.Said(403, "Forbidden", "",
			`admission webhook "validation.gatekeeper.sh" denied the request: [freeze-nodes] not this week`), CauseWebhook, true,
			[]string{"Gatekeeper constraint freeze-nodes", "denies it: not this week"}, "kubectl get constraints"},
		{"a webhook whose service is gone", kubetest.Calling(kubetest.GuardURL + `service "gone" not found`), CauseWebhookDown, true,
			[]string{`webhook guard.example.com (service hunt/gone) cannot be asked`,
				`service "gone" not found`}, "kubectl -n hunt get service,endpointslices,pods"},
		{"a webhook without endpoints", kubetest.Calling(kubetest.GuardURL + `no endpoints available for service "gone"`), CauseWebhookDown, true,
			[]string{"no endpoints"}, "bring the pods of its service back"},
		{"a webhook that refuses connections", kubetest.Calling(kubetest.GuardURL + "dial tcp 10.96.0.9:443: connect: connection refused"),
			CauseWebhookDown, true, []string{"connection refused"}, "hunt"},
		{"a webhook that takes too long", kubetest.Calling(kubetest.GuardURL + "context deadline exceeded"), CauseWebhookDown, true,
			[]string{"deadline"}, "hunt"},
		{"a webhook with the wrong certificate",
			kubetest.Calling(kubetest.GuardURL +
				"tls: failed to verify certificate: x509: certificate signed by unknown " +
				"authority"), CauseWebhookDown, true, []string{"x509"}, "caBundle"},
		{"a webhook that breaks", kubetest.Calling(`an error on the server ("boom") has prevented the request from succeeding`), CauseWebhookDown,
			true, []string{"boom"}, "bring its server back"},
		{"a webhook outside of the cluster", kubetest.Calling(`Post "https://hooks.example.com/evict?timeout=10s": EOF`), CauseWebhookDown, true,
			[]string{"webhook guard.example.com cannot be asked"}, "bring its server back"},
		{"a webhook of an old server", kubetest.Said(500, "InternalError", "",
			`Internal error occurred: failed calling webhook "x": Post "https://a.b.svc:443": EOF`), CauseWebhookDown, true, []string{"service " +
			"b/a"}, "kubectl -n b"},
		{"a quota", kubetest.ByAdmission("exceeded quota: pods, requested: pods=1, used: pods=5, limited: pods=5"), CauseQuota, true,
			[]string{"a ResourceQuota denies it: exceeded quota: pods"}, "kubectl get resourcequotas"},
		{"a quota without a status", kubetest.ByAdmission("status unknown for quota: pods, resources: pods"), CauseQuota, true,
			[]string{"status unknown"}, "resourcequotas"},
		{"PodSecurity", kubetest.ByAdmission(`violates PodSecurity "restricted:latest": privileged`), CauseAdmission, true,
			[]string{"PodSecurity denies it"}, "pod-security.kubernetes.io/enforce"},
		{"NodeRestriction", kubetest.ByAdmission(`node "w1" is not allowed to modify node "w2"`), CauseAdmission, false,
			[]string{"NodeRestriction"}, "a kubelet's"},
		{"AlwaysDeny", kubetest.ByAdmission("admission control is denying all modifications"), CauseReadOnly, true,
			[]string{"takes no writes", "AlwaysDeny"}, "etcd"},
		{"a plugin that nobody knows", kubetest.ByAdmission("the moon is full"), CauseAdmission, true,
			[]string{"admission denies it: the moon is full"}, "not your rights"},
		{"admission that begins", kubetest.ByAdmission("not yet ready to handle request"), CauseServer, true,
			[]string{"not yet ready"}, "readyz"},
		{"no right", kubetest.NoRight("patch", "nodes"), CauseForbidden, false, []string{"cannot patch"}, "the verb patch on nodes"},
		{"no right, and the authorizer says why", kubetest.Said(403, "Forbidden", "nodes",
			`nodes "a" is forbidden: User "ann" cannot patch resource "nodes" in API group "" at the cluster scope: denied by policy 'x'`),
			CauseForbidden, false, nil, "kubectl auth can-i patch nodes -A"},
		{"a proxy in front of the server", apierrors.NewGenericServerResponse(403, "PATCH", schema.GroupResource{Resource: "nodes"}, "w1",
			"blocked", 0, true), CauseForbidden, false, nil, "the verb patch on nodes"},
		{"no credentials", apierrors.NewUnauthorized("no"), CauseForbidden, false, nil, ""},
		{"etcd is full", apierrors.NewInternalError(errors.New("etcdserver: mvcc: database space exceeded")), CauseReadOnly, true,
			[]string{"space exceeded"}, "etcdctl alarm"},
		{"etcd is full, unwrapped", kubetest.Said(500, metav1.StatusReasonUnknown, "", "etcdserver: mvcc: database space exceeded"),
			CauseReadOnly, true, nil, "etcdctl alarm"},
		{"etcd has no leader", kubetest.Said(500, metav1.StatusReasonUnknown, "", "etcdserver: no leader"), CauseServer, true,
			[]string{"no leader"}, "readyz"},
		{"priority and fairness", apierrors.NewTooManyRequests("too many requests, please try again later", 1), CauseBusy, true, nil, "readyz"},
		{"a budget", kubetest.Said(429, "TooManyRequests", "", "Cannot evict pod", metav1.StatusCause{Type: policyv1.DisruptionBudgetCause,
			Message: "The disruption budget web needs 2"}), CauseBudget, true, []string{"budget web"}, "pdb"},
		{"a budget of 1.37 that is negative", kubetest.Said(403, "Forbidden", "pods", `pods "a" is forbidden`,
			metav1.StatusCause{Type: "DisruptionBudgetNegativeAllowedDisruptions",
				Message: "negative"}), CauseBudget, true, []string{"negative"}, "pdb"},
		{"a budget of 1.37 with too many disrupted", kubetest.Said(403, "Forbidden", "pods", "",
			metav1.StatusCause{Type: "DisruptionBudgetTooManyDisruptedPods", Message: "too many"}), CauseBudget, true, nil, "pdb"},
		{"a namespace that goes", kubetest.Said(403, "Forbidden", "pods", "x", metav1.StatusCause{Type: corev1.NamespaceTerminatingCause,
			Message: "x"}), CauseNamespace, true, nil, "namespaces"},
		{"a request that is wrong", apierrors.NewBadRequest("grace"), CauseRejected, false, []string{"grace"}, "flags"},
		{"no connection", errors.New("connection refused"), CauseServer, true, []string{"connection refused"}, "readyz"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := ReadDenial(tc.err, Right{"patch", "nodes"})
			if d.Cause != tc.cause || d.MayChange != tc.may || !strings.Contains(d.WayOut, tc.way) {
				t.Errorf("got %+v", d)
			}
			for _, want := range tc.says {
				if !strings.Contains(d.String(), want) {
					t.Errorf("%q lacks %q", d, want)
				}
			}
			if d.Cause != CauseForbidden && strings.Contains(d.WayOut, "ask for the verb") {
				t.Errorf("rights are blamed: %q", d.WayOut)
			}
			if strings.ContainsAny(d.String()+d.WayOut, "\n\x1b") {
				t.Errorf("not one line: %q, %q", d, d.WayOut)
			}
		})
	}
}

// FuzzReadDenial: whatever a server, a policy or a webhook says, it is one
// bounded line, never consent, and the way out has nothing to obey.
func FuzzReadDenial(f *testing.F) {
	for _, err := range []error{kubetest.ByVAP(422, "Invalid", "no"), kubetest.Calling(kubetest.GuardURL + "EOF"),
		kubetest.NoRight("patch", "nodes"), kubetest.ByAdmission("exceeded quota: x")} {
		status, _ := kube.StatusOf(err)
		f.Add(int32(status.Code), status.Message, "")
	}
	f.Add(int32(403), "ValidatingAdmissionPolicy 'a;rm -rf /' with binding '$(id)' denied request: \x1b[2J",
		"admission webhook \"`id`\" denied the request: \u202e")
	f.Fuzz(func(t *testing.T, code int32, message, cause string) {
		d := ReadDenial(kubetest.Said(code, "", "pods", message, metav1.StatusCause{Message: cause}), Right{"create", "pods/eviction"})
		if d.Cause == "" || d.WayOut == "" {
			t.Fatalf("no reading: %+v", d)
		}
		for _, text := range []string{d.String(), d.WayOut} {
			if strings.ContainsAny(text, "\n\r\x1b\u202e\u2028") || len(text) > 24<<10 {
				t.Errorf("not one bounded line: %q", text)
			}
		}
	})
}

func TestACordonThatIsDeniedSaysByWhom(t *testing.T) {
	for name, tc := range map[string]struct {
		denied error
		says   string
		hint   string
	}{
		"a policy": {kubetest.ByVAP(403, metav1.StatusReasonForbidden, "no cordons in freeze"),
			"ValidatingAdmissionPolicy freeze (binding freeze-all) denies it: no cordons in freeze", "the policy decides"},
		"a webhook is down": {kubetest.Calling(kubetest.GuardURL + "EOF"), "of validatingwebhookconfiguration drain-guard cannot be asked: ",
			"drain-guard -o yaml"},
		"a webhook denies": {kubetest.Said(400, "", "", `admission webhook "guard.example.com" denied the request: no`), "denies it: no",
			"drain-guard -o yaml"},
		"no right": {kubetest.NoRight("patch", "nodes"), "cannot patch", "the verb patch on nodes"},
	} {
		client := kubetest.NewClient(kubetest.Guarding(kubetest.RuleOf("nodes", "UPDATE"), nil), kubetest.Node("n1"))
		kubetest.AnswerWith(client, "patch", "nodes", tc.denied)
		_, err := Scheduling{Unschedulable: true}.Apply(t.Context(), client, "n1")
		var denied *deniedError
		if !errors.As(err, &denied) || plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), `cordon node "n1": `) ||
			!strings.Contains(err.Error(), tc.says) || !strings.Contains(plan.HintOf(err), tc.hint) {
			t.Errorf("%s: %v of class %v, hint %q", name, err, plan.ClassOf(err), plan.HintOf(err))
		}
	}
}
