// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"errors"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// need is one thing that has to be allowed.
type need struct{ verb, group, resource, subresource, namespace string }

func (n need) String() string {
	what := n.verb + " " + n.resource
	if n.subresource != "" {
		what += "/" + n.subresource
	}
	if n.group != "" {
		what += "." + n.group
	}
	if n.namespace != "" {
		what += " in namespace " + n.namespace
	}
	return what
}

// needs are what the plan takes, sorted and without repetitions.
func (u Uninstallation) needs() []need {
	var all []need
	for _, o := range u.Objects {
		all = append(all, need{verb: "delete", group: o.Group, resource: o.Resource, namespace: o.Namespace})
	}
	for _, m := range u.Made {
		all = append(all, need{verb: "delete", group: m.Group, resource: m.Resource, namespace: m.Namespace})
	}
	for _, m := range u.Marks {
		if len(m.Annotations)+len(m.Taints) > 0 {
			all = append(all, need{verb: "patch", resource: "nodes"})
		}
		if m.Condition {
			all = append(all, need{verb: "patch", resource: "nodes", subresource: "status"})
		}
	}
	slices.SortFunc(all, func(a, b need) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// Allowed asks the API server for what the plan takes, and refuses with the list of what
// is missing.
func Allowed(ctx context.Context, client kubernetes.Interface, u Uninstallation) error {
	denied, err := kube.Denied(ctx, client, u.needs(), func(n need) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: n.verb, Group: n.group, Resource: n.resource, Subresource: n.subresource,
			Namespace: n.namespace}
	})
	if err != nil || len(denied) == 0 {
		return err
	}
	var missing []string
	for _, n := range denied {
		missing = append(missing, n.String())
	}
	return plan.Refuse(errors.New("you may not "+strings.Join(missing, ", nor ")),
		"ask the cluster's administrator for that, or use other credentials (--context, --as)")
}
