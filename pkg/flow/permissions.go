// SPDX-License-Identifier: Apache-2.0

package flow

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

// need is one thing that a recipe has to be allowed to do.
type need struct {
	verb, group, resource, subresource, namespace string
}

func (n need) String() string {
	s := n.verb + " " + n.resource
	if n.subresource != "" {
		s += "/" + n.subresource
	}
	if n.group != "" {
		s += "." + n.group
	}
	if n.namespace != "" {
		return s + " in namespace " + n.namespace
	}
	return s + " in all namespaces"
}

// allowed asks the API server for each need and refuses with the list of what
// is missing, before anything is changed.
func allowed(ctx context.Context, client kubernetes.Interface, needs []need) error {
	denied, err := kube.Denied(ctx, client, needs, func(n need) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: n.verb, Group: n.group, Resource: n.resource, Subresource: n.subresource, Namespace: n.namespace}
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

// doorNeeds is what it takes to run a pod on a node and stream into it.
func doorNeeds(namespace string) []need {
	return []need{
		{verb: "list", resource: "pods"},
		{verb: "get", resource: "secrets", namespace: namespace},
		{verb: "create", resource: "pods", namespace: namespace},
		{verb: "watch", resource: "pods", namespace: namespace},
		{verb: "delete", resource: "pods", namespace: namespace},
		{verb: "create", resource: "pods", subresource: "attach", namespace: namespace},
	}
}

// runNeeds is what a run with a record takes beyond the door.
func runNeeds(namespace string) []need {
	needs := doorNeeds(namespace)
	for _, verb := range []string{"create", "watch", "patch", "delete"} {
		needs = append(needs, need{verb: verb, resource: "secrets", namespace: namespace})
	}
	for _, verb := range []string{"create", "delete"} {
		needs = append(needs,
			need{verb: verb, resource: "serviceaccounts", namespace: namespace},
			need{verb: verb, group: "rbac.authorization.k8s.io", resource: "roles", namespace: namespace},
			need{verb: verb, group: "rbac.authorization.k8s.io", resource: "rolebindings", namespace: namespace})
	}
	return append(needs, need{verb: "create", resource: "serviceaccounts", subresource: "token", namespace: namespace})
}

// drainNeeds is what a drain takes.
func drainNeeds() []need {
	return []need{
		{verb: "patch", resource: "nodes"},
		{verb: "list", resource: "pods"},
		{verb: "watch", resource: "pods"},
		{verb: "create", resource: "pods", subresource: "eviction"},
		{verb: "list", group: "policy", resource: "poddisruptionbudgets"},
		{verb: "watch", group: "policy", resource: "poddisruptionbudgets"},
		{verb: "list", group: "apps", resource: "daemonsets"},
	}
}

// surgeNeeds is what it takes to change Deployments while a drain lasts.
func surgeNeeds(mode surge.Mode) []need {
	if mode == "" || mode == surge.Off {
		return nil
	}
	return []need{
		{verb: "list", group: "apps", resource: "deployments"}, {verb: "patch", group: "apps", resource: "deployments"},
		{verb: "list", group: "autoscaling", resource: "horizontalpodautoscalers"},
	}
}
