// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"slices"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// needs are what the plan takes, sorted and without repetitions.
func (u Uninstallation) needs() []kube.Need {
	var all []kube.Need
	for _, o := range u.Objects {
		all = append(all, kube.Need{Verb: "delete", Group: o.Group, Resource: o.Resource, Namespace: o.Namespace})
	}
	for _, m := range u.Made {
		all = append(all, kube.Need{Verb: "delete", Group: m.Group, Resource: m.Resource, Namespace: m.Namespace})
	}
	for _, m := range u.Marks {
		if len(m.Annotations)+len(m.Taints) > 0 {
			all = append(all, kube.Need{Verb: "patch", Resource: "nodes"})
		}
		if m.Condition {
			all = append(all, kube.Need{Verb: "patch", Resource: "nodes", Subresource: "status"})
		}
	}
	slices.SortFunc(all, func(a, b kube.Need) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// Allowed asks the API server for what the plan takes, and refuses with the list of what
// is missing.
func Allowed(ctx context.Context, client kubernetes.Interface, u Uninstallation) error {
	return kube.Require(ctx, client, u.needs())
}
