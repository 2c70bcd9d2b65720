// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Admission is who is asked before a pod is evicted or a node is cordoned, as
// far as it can be read.
type Admission struct {
	webhooks []webhook
	policies []policy
	// unread are the kinds that could not be read.
	unread []string
}

// webhook is one that has to answer, or the write fails.
type webhook struct {
	name, config string
	evictions    bool // asked for evictions, else for Nodes
	namespaces   *metav1.LabelSelector
	service      string // namespace/name; empty for one outside of the cluster
	// known is true if its endpoints could be read; pods are those that serve it.
	known bool
	ready int
	pods  []types.UID
}

// policy is one that may deny, with a binding.
type policy struct {
	name, binding string
	evictions     bool
	namespaces    *metav1.LabelSelector
}

// ReadAdmission reads who is asked: four lists, and one for each service of a
// webhook that matches. What may not be read is not known, and no error.
func ReadAdmission(ctx context.Context, client kubernetes.Interface) Admission {
	var a Admission
	api := client.AdmissionregistrationV1()
	if list, err := api.ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{}); a.read(err, "validatingwebhookconfigurations") {
		for _, c := range list.Items {
			for _, w := range c.Webhooks {
				a.add(webhook{name: w.Name, config: "validatingwebhookconfiguration " + c.Name, namespaces: w.NamespaceSelector}, w.Rules,
					w.FailurePolicy, w.ClientConfig)
			}
		}
	}
	if list, err := api.MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{}); a.read(err, "mutatingwebhookconfigurations") {
		for _, c := range list.Items {
			for _, w := range c.Webhooks {
				a.add(webhook{name: w.Name, config: "mutatingwebhookconfiguration " + c.Name, namespaces: w.NamespaceSelector}, w.Rules,
					w.FailurePolicy, w.ClientConfig)
			}
		}
	}
	for i := range a.webhooks {
		a.webhooks[i].serve(ctx, client)
	}
	a.readPolicies(ctx, client)
	return a
}

// read notes what could not be read. A server that has no such kind has none of it.
func (a *Admission) read(err error, kind string) bool {
	if err != nil && !apierrors.IsNotFound(err) {
		a.unread = append(a.unread, kind)
	}
	return err == nil
}

// add takes a webhook in that is asked for evictions or for Nodes and that must
// answer.
func (a *Admission) add(w webhook, rules []admissionv1.RuleWithOperations, fail *admissionv1.FailurePolicyType,
	where admissionv1.WebhookClientConfig) {
	if fail != nil && *fail == admissionv1.Ignore {
		return
	}
	if s := where.Service; s != nil {
		w.service = s.Namespace + "/" + s.Name
	}
	for _, evictions := range []bool{true, false} {
		if slices.ContainsFunc(rules, func(r admissionv1.RuleWithOperations) bool { return asks(r, evictions) }) {
			w.evictions = evictions
			a.webhooks = append(a.webhooks, w)
		}
	}
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

// serve finds out which pods serve a webhook.
func (w *webhook) serve(ctx context.Context, client kubernetes.Interface) {
	namespace, name, inside := strings.Cut(w.service, "/")
	if !inside {
		return
	}
	found, err := client.DiscoveryV1().EndpointSlices(namespace).List(ctx,
		metav1.ListOptions{LabelSelector: labels.Set{discoveryv1.LabelServiceName: name}.String()})
	if err != nil {
		return
	}
	w.known = true
	for _, slice := range found.Items {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			w.ready++
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
				w.pods = append(w.pods, e.TargetRef.UID)
			}
		}
	}
}

func (a *Admission) readPolicies(ctx context.Context, client kubernetes.Interface) {
	api := client.AdmissionregistrationV1()
	list, err := api.ValidatingAdmissionPolicies().List(ctx, metav1.ListOptions{})
	if !a.read(err, "validatingadmissionpolicies") || len(list.Items) == 0 {
		return
	}
	bindings, err := api.ValidatingAdmissionPolicyBindings().List(ctx, metav1.ListOptions{})
	if !a.read(err, "validatingadmissionpolicybindings") {
		return
	}
	for _, p := range list.Items {
		if p.Spec.MatchConstraints == nil {
			continue
		}
		for _, evictions := range []bool{true, false} {
			matches := selects(p.Spec.MatchConstraints, evictions)
			for _, b := range bindings.Items {
				if matches && b.Spec.PolicyName == p.Name && slices.Contains(b.Spec.ValidationActions, admissionv1.Deny) &&
					selects(b.Spec.MatchResources, evictions) {
					one := policy{name: p.Name, binding: b.Name, evictions: evictions}
					if b.Spec.MatchResources != nil {
						one.namespaces = b.Spec.MatchResources.NamespaceSelector
					}
					a.policies = append(a.policies, one)
				}
			}
		}
	}
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

// Warnings are what a drain will meet or may meet, one line each.
func (a Admission) Warnings(d Decision) []string {
	leaving := map[types.UID]bool{}
	var spaces []string
	for _, v := range d.With(ActionEvict) {
		leaving[v.UID] = true
		if !slices.Contains(spaces, v.Namespace) {
			spaces = append(spaces, v.Namespace)
		}
	}
	applies := func(evictions bool, selector *metav1.LabelSelector) bool {
		if !evictions {
			return len(d.ToCordon()) > 0
		}
		return slices.ContainsFunc(spaces, func(space string) bool { return mayMatch(selector, space) })
	}
	var out []string
	for _, w := range a.webhooks {
		if what := w.warning(leaving); what != "" && applies(w.evictions, w.namespaces) {
			out = append(out, what)
		}
	}
	for _, p := range a.policies {
		if applies(p.evictions, p.namespaces) {
			out = append(out, text.Line(fmt.Sprintf("ValidatingAdmissionPolicy %s (binding %s) is asked for %s and may deny them", p.name, p.binding,
				writes(p.evictions))))
		}
	}
	out = text.Capped(out)
	if len(a.unread) > 0 {
		out = append(out, "whether a policy or a webhook denies the drain is not known: you may not list "+strings.Join(a.unread, ", "))
	}
	return out
}

func writes(evictions bool) string { return text.Choose(evictions, "evictions", "changes of nodes") }

// warning says what is wrong with a webhook; empty if nothing is seen to be.
func (w webhook) warning(leaving map[types.UID]bool) string {
	who := fmt.Sprintf("webhook %s of %s", w.name, w.config)
	switch {
	case w.service == "" || !w.known:
		return ""
	case w.ready == 0:
		return text.Line(fmt.Sprintf("%s is asked for %s and cannot answer: service %s has no ready endpoint, so they fail", who,
			writes(w.evictions), w.service))
	case len(w.pods) == w.ready && !slices.ContainsFunc(w.pods, func(uid types.UID) bool { return !leaving[uid] }):
		return text.Line(fmt.Sprintf("%s is asked for %s, and all pods that serve it (service %s) leave with this drain: once they are gone "+
			"the rest fails until others are Ready", who, writes(w.evictions), w.service))
	}
	return ""
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
