// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// unreadNode is the error of a Node that cannot be read.
func unreadNode(err error, node string) error {
	switch {
	case apierrors.IsNotFound(err):
		return plan.Refuse(fmt.Errorf("node %q not found", node), "see the nodes there are: kubectl get nodes")
	case apierrors.IsForbidden(err):
		return mayNot(err, "get", "nodes")
	}
	return fmt.Errorf("read node %q: %w", node, err)
}

// unreadList is the error of a list over all namespaces that cannot be read.
func unreadList(err error, resource string) error {
	if apierrors.IsForbidden(err) {
		return mayNot(err, "list", resource)
	}
	return fmt.Errorf("list %s: %w", resource, err)
}

// unreadWatch is the error of a watch that is not allowed.
func unreadWatch(err error, resource string) error {
	return plan.Hint(fmt.Errorf("you may not list and watch %s in the whole cluster: %w", resource, err),
		"have 'list' and 'watch' on '%s' allowed for you; 'kubectl auth can-i watch %s -A' shows whether they are", resource, text.Quote(resource))
}

// mayNot is the refusal of a missing permission.
func mayNot(err error, verb, resource string) error {
	return plan.Refuse(fmt.Errorf("you may not %s %s in the whole cluster: %w", verb, resource, err),
		"have '%s' on '%s' allowed for you; 'kubectl auth can-i %s %s -A' shows whether it is", verb, resource, text.Quote(verb), text.Quote(resource))
}
