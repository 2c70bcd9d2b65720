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

// webhook is one that is asked.
type webhook struct {
	aims
	name, config string
	evictions    bool   // asked for evictions, else for Nodes
	needed       bool   // the write fails if it does not answer
	service      string // namespace/name; empty for one outside of the cluster
	// known is true if its endpoints could be read; pods are those that serve it.
	known bool
	ready int
	pods  []types.UID
}

// policy is one that may deny, with a binding.
type policy struct {
	aims
	name, binding string
	evictions     bool
}

// ReadAdmission reads who is asked: four lists, and one for each service of a
// webhook that matches. What may not be read is not known, and no error.
func ReadAdmission(ctx context.Context, client kubernetes.Interface) Admission {
	var a Admission
	api := client.AdmissionregistrationV1()
	if list, err := api.ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{}); a.read(err, "validatingwebhookconfigurations") {
		for _, c := range list.Items {
			for _, w := range c.Webhooks {
				a.add(webhook{name: w.Name, config: "validatingwebhookconfiguration " + c.Name, aims: aimOf(w.NamespaceSelector,
					w.ObjectSelector, w.MatchConditions)}, w.Rules, w.FailurePolicy, w.ClientConfig)
			}
		}
	}
	if list, err := api.MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{}); a.read(err, "mutatingwebhookconfigurations") {
		for _, c := range list.Items {
			for _, w := range c.Webhooks {
				a.add(webhook{name: w.Name, config: "mutatingwebhookconfiguration " + c.Name, aims: aimOf(w.NamespaceSelector,
					w.ObjectSelector, w.MatchConditions)}, w.Rules, w.FailurePolicy, w.ClientConfig)
			}
		}
	}
	seen := map[string]webhook{}
	for i := range a.webhooks {
		w := &a.webhooks[i]
		if _, asked := seen[w.service]; !asked {
			w.serve(ctx, client)
			seen[w.service] = *w
		}
		w.known, w.ready, w.pods = seen[w.service].known, seen[w.service].ready, seen[w.service].pods
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

// aimOf is the aim of a webhook.
func aimOf(namespaces, objects *metav1.LabelSelector, conditions []admissionv1.MatchCondition) aims {
	return aims{namespaces: []*metav1.LabelSelector{namespaces}, objects: []*metav1.LabelSelector{objects}, conditions: conditions}
}

// add takes a webhook in that is asked for evictions or for Nodes. That its errors are
// ignored is about errors: what it denies is denied.
func (a *Admission) add(w webhook, rules []admissionv1.RuleWithOperations, fail *admissionv1.FailurePolicyType,
	where admissionv1.WebhookClientConfig) {
	w.needed = fail == nil || *fail != admissionv1.Ignore
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
					m := p.Spec.MatchConstraints
					one := policy{name: p.Name, binding: b.Name, evictions: evictions, aims: aimOf(m.NamespaceSelector, m.ObjectSelector,
						p.Spec.MatchConditions)}
					if m := b.Spec.MatchResources; m != nil {
						one.namespaces, one.objects = append(one.namespaces, m.NamespaceSelector), append(one.objects, m.ObjectSelector)
					}
					a.policies = append(a.policies, one)
				}
			}
		}
	}
}

// Warnings are what a drain will meet or may meet, one line each: first what is wrong.
func (a Admission) Warnings(d Decision) []string {
	leaving, spaces := leavingOf(d)
	var wrong, deniers []string
	for _, w := range a.webhooks {
		if !asked(d, w.aims, w.evictions, spaces) {
			continue
		}
		if what := w.warning(leaving); what != "" {
			wrong = append(wrong, what)
		} else if w.answers() {
			deniers = append(deniers, mayDeny(fmt.Sprintf("webhook %s of %s", w.name, w.config), w.evictions))
		}
	}
	for _, p := range a.policies {
		if asked(d, p.aims, p.evictions, spaces) {
			deniers = append(deniers, mayDeny(fmt.Sprintf("ValidatingAdmissionPolicy %s (binding %s)", p.name, p.binding), p.evictions))
		}
	}
	out := text.Capped(append(wrong, deniers...))
	if len(a.unread) > 0 {
		out = append(out, "whether a policy or a webhook denies the drain is not known: you may not list "+strings.Join(a.unread, ", "))
	}
	return out
}

// MayDenyEvictions reports whether a webhook or a policy may deny the evictions of a
// drain: until when it does, nothing in the cluster says.
func (a Admission) MayDenyEvictions(d Decision) bool {
	_, spaces := leavingOf(d)
	return slices.ContainsFunc(a.webhooks, func(w webhook) bool {
		return w.evictions && (w.needed || w.answers()) && w.mayMatch(true, spaces)
	}) || slices.ContainsFunc(a.policies, func(p policy) bool { return p.evictions && p.mayMatch(true, spaces) })
}

// leavingOf are the pods that a drain evicts, and their namespaces.
func leavingOf(d Decision) (leaving map[types.UID]bool, spaces []string) {
	leaving = map[types.UID]bool{}
	for _, v := range d.With(ActionEvict) {
		leaving[v.UID] = true
		if !slices.Contains(spaces, v.Namespace) {
			spaces = append(spaces, v.Namespace)
		}
	}
	return leaving, spaces
}

// asked reports whether a drain makes a request that may be one that is asked about.
func asked(d Decision, s aims, evictions bool, spaces []string) bool {
	return (evictions || len(d.ToCordon()) > 0) && s.mayMatch(evictions, spaces)
}

func mayDeny(who string, evictions bool) string {
	return text.Line(fmt.Sprintf("%s is asked for %s and may deny them", who, writes(evictions)))
}

func writes(evictions bool) string { return text.Choose(evictions, "evictions", "changes of nodes") }

// answers reports whether a webhook may answer: not if nothing serves it.
func (w webhook) answers() bool { return w.service == "" || !w.known || w.ready > 0 }

// warning says what is wrong with a webhook that has to answer; empty if nothing is seen
// to be.
func (w webhook) warning(leaving map[types.UID]bool) string {
	who := fmt.Sprintf("webhook %s of %s", w.name, w.config)
	switch {
	case !w.needed || w.service == "" || !w.known:
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
