// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const askHint = "ask the cluster's administrator for that, or use other credentials (--context, --as)"

// need is one thing that has to be allowed.
type need struct {
	verb, group, resource, namespace string
}

func (n need) String() string {
	what := n.verb + " " + n.resource
	if n.group != "" {
		what += "." + n.group
	}
	if n.namespace != "" {
		what += " in namespace " + n.namespace
	}
	return what
}

// needs lists what writing the objects takes, sorted and without repetitions.
func (inst Installation) needs() []need {
	agents := inst.network.AgentsIn(inst.Namespace)
	needs := []need{
		// What Wait watches.
		{verb: "watch", resource: "nodes"},
		{verb: "watch", resource: "pods", namespace: agents},
		{verb: "watch", group: "apps", resource: "daemonsets", namespace: agents},
		{verb: "watch", group: "apps", resource: "deployments", namespace: metav1.NamespaceSystem},
	}
	if inst.ownNamespace() {
		needs = append(needs, need{verb: "create", resource: "namespaces"}, need{verb: "patch", resource: "namespaces"})
	}
	if inst.define {
		for _, verb := range []string{"get", "create", "patch"} {
			needs = append(needs, need{verb, "apiextensions.k8s.io", "customresourcedefinitions", ""})
		}
	}
	for _, o := range inst.Objects {
		for _, verb := range []string{"get", "create", "patch"} {
			if verb == "patch" && o.Resource == "secrets" {
				verb = "update"
			}
			needs = append(needs, need{verb, o.Group, o.Resource, o.Namespace})
		}
	}
	slices.SortFunc(needs, func(a, b need) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(needs)
}

// allowed asks the API server for each need, and refuses with the list of what
// is missing.
func allowed(ctx context.Context, client kubernetes.Interface, needs []need) error {
	denied, err := kube.Denied(ctx, client, needs, func(n need) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: n.verb, Group: n.group, Resource: n.resource, Namespace: n.namespace}
	})
	if err != nil || len(denied) == 0 {
		return err
	}
	var missing []string
	for _, n := range denied {
		missing = append(missing, n.String())
	}
	return plan.Refuse(errors.New("you may not "+strings.Join(missing, ", nor ")), "%s", askHint)
}
