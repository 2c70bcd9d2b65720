// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// What admission says, in a cause of the status and in its message. Validating
// policies name their kind (Kubernetes 1.30 to 1.37,
// policy/validating/dispatcher.go); mutating ones, and policies of either kind
// that are not configured well, are "policy" (policy/generic). Whatever code the
// policy's own reason gives, the form is the same.
var (
	policyDenied = regexp.MustCompile(`^(ValidatingAdmissionPolicy|policy) ['"]([^'"]*)['"](?: with binding ['"]([^'"]*)['"])? ` +
		`denied request: ?((?s:.*))$`)
	webhookDenied = regexp.MustCompile(`^admission webhook "([^"]*)" (denied the request:? ?|does not support dry run|` +
		`attempted to modify the object)((?s:.*))$`)
	webhookFailed = regexp.MustCompile(`^failed calling webhook "([^"]*)"[:;] ?((?s:.*))$`)
	serviceURL    = regexp.MustCompile(`https://([a-z0-9-]{1,63})\.([a-z0-9-]{1,63})\.svc(?:[:/"]|$)`)
	gatekeeper    = regexp.MustCompile(`^\[([a-z0-9.-]{1,253})\] `)
	kyverno       = regexp.MustCompile(`blocked due to the following policies\s+([a-z0-9.-]{1,253}):`)
)

// admission reads what a policy or a webhook said, or what the server said of a
// webhook; without a cause if it was none of them. Causes come first: the
// message is framed differently from version to version.
func admission(status metav1.Status) Denial {
	var all []string
	if status.Details != nil {
		for _, cause := range status.Details.Causes {
			all = append(all, cause.Message)
		}
	}
	for _, said := range append(all, unframed(status.Message), status.Message) {
		if m := policyDenied.FindStringSubmatch(said); m != nil {
			return byPolicy(m[1], m[2], m[3], m[4])
		}
		if m := webhookDenied.FindStringSubmatch(said); m != nil {
			return byWebhook(m[1], strings.TrimSpace(m[2]), m[3])
		}
		if m := webhookFailed.FindStringSubmatch(said); m != nil {
			return byFailure(m[1], m[2])
		}
	}
	return Denial{}
}

func byPolicy(kind, policy, binding, says string) Denial {
	policy, binding, says = text.Line(policy), text.Line(binding), text.Short(says, maxSaid)
	d := Denial{Cause: CausePolicy, Says: text.Choose(says == "", "it gives no reason", says), MayChange: true}
	d.By = text.Choose(kind == "policy", "admission policy", kind) + " " + policy + text.Choose(binding == "", "", " (binding "+binding+")")
	kinds := "validatingadmissionpolicies"
	if kind == "policy" {
		kinds = "mutatingadmissionpolicies,validatingadmissionpolicies"
	}
	d.WayOut = "the policy decides; see what it wants: " + text.Choose(kind == "policy", "kubectl get "+kinds,
		text.Command("kubectl", "get", "validatingadmissionpolicy", policy, "-o", "yaml"))
	if binding != "" && kind != "policy" {
		d.WayOut += "; and where it applies: " + text.Command("kubectl", "get", "validatingadmissionpolicybinding", binding, "-o", "yaml")
	}
	return d
}

// whereWebhooks is the command that shows all of them.
const whereWebhooks = "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"

// byWebhook is a webhook that answered. Kyverno and Gatekeeper serve many
// policies through one: the policy is whom to ask.
func byWebhook(webhook, verb, says string) Denial {
	webhook = text.Line(webhook)
	d := Denial{Cause: CauseWebhook, By: "webhook " + webhook, Webhook: webhook, MayChange: true,
		Says: text.Short(strings.TrimPrefix(says, ":"), maxSaid)}
	d.WayOut = "the webhook decides; ask the operator it belongs to, or see: " + whereWebhooks
	switch {
	case strings.HasPrefix(verb, "does not"), strings.HasPrefix(verb, "attempted"):
		d.Says = text.Short("it "+verb+says, maxSaid)
	case kyverno.MatchString(says):
		name := kyverno.FindStringSubmatch(says)[1]
		d.By = "Kyverno policy " + name + " (" + d.By + ")"
		d.WayOut = "the policy decides: kubectl get clusterpolicies,policies.kyverno.io -A"
	case gatekeeper.MatchString(says):
		name := gatekeeper.FindStringSubmatch(says)[1]
		d.By = "Gatekeeper constraint " + name + " (" + d.By + ")"
		d.Says = text.Short(strings.TrimPrefix(says, "["+name+"] "), maxSaid)
		d.WayOut = "the constraint decides: kubectl get constraints"
	}
	if d.Says == "" {
		d.Says = "it gives no reason"
	}
	return d
}

// byFailure is a webhook that did not answer, or not well: the server itself is
// fine, and the webhook's configuration says to fail then.
func byFailure(webhook, why string) Denial {
	webhook = text.Line(webhook)
	why = strings.TrimPrefix(why, "failed to call webhook: ")
	d := Denial{Cause: CauseWebhookDown, By: "webhook " + webhook, Webhook: webhook, Says: text.Short(why, maxSaid), MayChange: true}
	bring := "bring its server back"
	if m := serviceURL.FindStringSubmatch(why); m != nil {
		d.Service = m[2] + "/" + m[1]
		d.By += " (service " + d.Service + ")"
		bring = "bring the pods of its service back: " + text.Command("kubectl", "-n", m[2], "get", "service,endpointslices,pods")
	}
	if strings.Contains(why, "x509: ") || strings.Contains(why, "tls: ") {
		bring = "have its certificate and the caBundle of its configuration agree"
	}
	d.WayOut = bring + "; its configuration says to fail without it: " + whereWebhooks
	return d
}

// Locate names the configuration that a denial's webhook is in, if this user may
// list those: two requests, or none if there is no webhook. What cannot be read
// is left as it is.
func Locate(ctx context.Context, client kubernetes.Interface, d Denial) Denial {
	if d.Webhook == "" {
		return d
	}
	kind, name := "", ""
	validating, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err == nil {
		for _, c := range validating.Items {
			for _, w := range c.Webhooks {
				if w.Name == d.Webhook {
					kind, name = "validatingwebhookconfiguration", c.Name
				}
			}
		}
	}
	if name == "" {
		mutating, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
		if err == nil {
			for _, c := range mutating.Items {
				for _, w := range c.Webhooks {
					if w.Name == d.Webhook {
						kind, name = "mutatingwebhookconfiguration", c.Name
					}
				}
			}
		}
	}
	if name == "" {
		return d
	}
	d.By += fmt.Sprintf(" of %s %s", kind, text.Line(name))
	d.WayOut = strings.ReplaceAll(d.WayOut, whereWebhooks, text.Command("kubectl", "get", kind, name, "-o", "yaml"))
	return d
}

// asks reports whether a rule matches evictions, or changes of Nodes.
func asks(r admissionv1.RuleWithOperations, evictions bool) bool {
	resources, operation, scope := []string{"nodes", "*", "*/*"}, admissionv1.Update, admissionv1.NamespacedScope
	if evictions {
		resources, operation, scope = []string{"pods/eviction", "pods/*", "*/eviction", "*/*"}, admissionv1.Create, admissionv1.ClusterScope
	}
	has := func(list []string, wanted ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return slices.Contains(wanted, s) })
	}
	return has(r.APIGroups, "", "*") && has(r.APIVersions, "v1", "*") && has(r.Resources, resources...) &&
		(r.Scope == nil || *r.Scope != scope) &&
		slices.ContainsFunc(r.Operations, func(o admissionv1.OperationType) bool { return o == operation || o == admissionv1.OperationAll })
}

// selects reports whether a policy, or its binding, is for evictions, or for changes of
// Nodes: a binding without rules is for all that its policy is for.
func selects(m *admissionv1.MatchResources, evictions bool) bool {
	if m == nil {
		return true
	}
	asked := func(r admissionv1.NamedRuleWithOperations) bool { return asks(r.RuleWithOperations, evictions) }
	excluded := func(r admissionv1.NamedRuleWithOperations) bool { return asked(r) && len(r.ResourceNames) == 0 }
	return (len(m.ResourceRules) == 0 || slices.ContainsFunc(m.ResourceRules, asked)) && !slices.ContainsFunc(m.ExcludeResourceRules, excluded)
}

// mayMatch reports whether a selector of namespaces may match one of which only
// the name is known, which the server sets as a label.
func mayMatch(selector *metav1.LabelSelector, namespace string) bool {
	if selector == nil {
		return true
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	requirements, selectable := parsed.Requirements()
	if err != nil || !selectable {
		return err != nil
	}
	for _, r := range requirements {
		if r.Key() == "kubernetes.io/metadata.name" && !r.Matches(labels.Set{r.Key(): namespace}) {
			return false
		}
	}
	return true
}

// aims are what a webhook, or a policy and its binding, are asked for beside their rules:
// all of it has to match.
type aims struct {
	namespaces []*metav1.LabelSelector
	objects    []*metav1.LabelSelector
	conditions []admissionv1.MatchCondition
}

// mayMatch reports whether evictions in some of these namespaces may be what it is
// asked for, or changes of Nodes, which are in no namespace.
func (s aims) mayMatch(evictions bool, spaces []string) bool {
	if !evictions {
		return true
	}
	for _, selector := range s.objects {
		parsed, err := metav1.LabelSelectorAsSelector(selector)
		if selector != nil && err == nil && !parsed.Matches(labels.Set{}) {
			return false // the object is the Eviction, which has no labels, and not the pod
		}
	}
	if slices.ContainsFunc(s.conditions, func(c admissionv1.MatchCondition) bool { return denies(c.Expression) }) {
		return false
	}
	return slices.ContainsFunc(spaces, func(space string) bool {
		return !slices.ContainsFunc(s.namespaces, func(selector *metav1.LabelSelector) bool { return !mayMatch(selector, space) })
	})
}

// comparison is a term of a condition of which it is known whether it holds for an
// eviction.
var comparison = regexp.MustCompile(`^\s*request\.(operation|subResource|(?:resource|requestResource)\.(?:group|version|resource)|` +
	`(?:kind|requestKind)\.(?:group|version|kind)|requestSubResource)\s*(==|!=)\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*$`)

// denies reports whether a condition surely does not hold for an eviction: one of the
// plain comparisons that it joins by && is false. What else it may say is not known: an
// expression with anything besides such terms, or with a bracket around some, is not read.
func denies(expression string) bool {
	if len(expression) > maxCondition || strings.ContainsAny(expression, "|?([{/") {
		return false
	}
	eviction := map[string]string{"operation": "CREATE", "subResource": "eviction", "requestSubResource": "eviction",
		"resource.group": "", "resource.version": "v1", "resource.resource": "pods",
		"requestResource.group": "", "requestResource.version": "v1", "requestResource.resource": "pods",
		"kind.group": "policy", "kind.version": "v1", "kind.kind": "Eviction",
		"requestKind.group": "policy", "requestKind.version": "v1", "requestKind.kind": "Eviction"}
	return slices.ContainsFunc(strings.Split(expression, "&&"), func(term string) bool {
		m := comparison.FindStringSubmatch(term)
		return m != nil && (eviction[m[1]] == m[3]+m[4]) != (m[2] == "==")
	})
}

// maxCondition bounds how long a condition is looked at.
const maxCondition = 2000
