// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
