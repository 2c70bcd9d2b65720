// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"errors"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Need is one thing that a recipe has to be Require to do.
type Need struct {
	Verb, Group, Resource, Subresource, Namespace string
}

// String is "delete nodes in all namespaces".
func (n Need) String() string {
	s := n.Verb + " " + n.Resource
	if n.Subresource != "" {
		s += "/" + n.Subresource
	}
	if n.Group != "" {
		s += "." + n.Group
	}
	if n.Namespace != "" {
		return s + " in namespace " + n.Namespace
	}
	return s + " in all namespaces"
}

// Require asks the API server for each Need and refuses with the list of what
// is missing, before anything is changed.
func Require(ctx context.Context, client kubernetes.Interface, needs []Need) error {
	denied, err := kube.Denied(ctx, client, needs, func(n Need) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: n.Verb, Group: n.Group, Resource: n.Resource, Subresource: n.Subresource,
			Namespace: n.Namespace}
	})
	if err != nil || len(denied) == 0 {
		return err
	}
	var missing []string
	for _, n := range denied {
		missing = append(missing, n.String())
	}
	return plan.Refuse(errors.New("you may not "+strings.Join(missing, ", nor ")),
		"ask the cluster's administrator for these verbs, or use other credentials (--context, --as)")
}

// Carrier is what it takes to run a pod on a node and stream into it.
func Carrier(namespace string) []Need {
	return []Need{
		{Verb: "list", Resource: "pods"},
		{Verb: "get", Resource: "secrets", Namespace: namespace},
		{Verb: "create", Resource: "pods", Namespace: namespace},
		{Verb: "watch", Resource: "pods", Namespace: namespace},
		{Verb: "delete", Resource: "pods", Namespace: namespace},
		{Verb: "create", Resource: "pods", Subresource: "attach", Namespace: namespace},
	}
}

// Run is what a run with a record takes beyond the door.
func Run(namespace string) []Need {
	needs := Carrier(namespace)
	for _, verb := range []string{"create", "watch", "patch", "delete"} {
		needs = append(needs, Need{Verb: verb, Resource: "secrets", Namespace: namespace})
	}
	for _, verb := range []string{"create", "delete"} {
		needs = append(needs,
			Need{Verb: verb, Resource: "serviceaccounts", Namespace: namespace},
			Need{Verb: verb, Group: "rbac.authorization.k8s.io", Resource: "roles", Namespace: namespace},
			Need{Verb: verb, Group: "rbac.authorization.k8s.io", Resource: "rolebindings", Namespace: namespace})
	}
	return append(needs, Need{Verb: "create", Resource: "serviceaccounts", Subresource: "token", Namespace: namespace})
}

// Drain is what a drain takes.
func Drain() []Need {
	return []Need{
		{Verb: "patch", Resource: "nodes"},
		{Verb: "list", Resource: "pods"},
		{Verb: "watch", Resource: "pods"},
		{Verb: "create", Resource: "pods", Subresource: "eviction"},
		{Verb: "list", Group: "policy", Resource: "poddisruptionbudgets"},
		{Verb: "watch", Group: "policy", Resource: "poddisruptionbudgets"},
		{Verb: "list", Group: "apps", Resource: "daemonsets"},
	}
}

// Surge is what it takes to change Deployments while a drain lasts.
func Surge(mode surge.Mode) []Need {
	if mode == "" || mode == surge.Off {
		return nil
	}
	return []Need{
		{Verb: "get", Group: "apps", Resource: "deployments"}, {Verb: "list", Group: "apps", Resource: "deployments"},
		{Verb: "patch", Group: "apps", Resource: "deployments"},
		{Verb: "list", Group: "autoscaling", Resource: "horizontalpodautoscalers"},
	}
}
