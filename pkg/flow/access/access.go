// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// Need is one thing that has to be allowed.
type Need = kube.Need

// Require is kube.Require.
func Require(ctx context.Context, client kubernetes.Interface, needs []Need) error {
	return kube.Require(ctx, client, needs)
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
