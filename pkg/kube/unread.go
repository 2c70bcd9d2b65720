// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// About reports whether the status is about a resource of that kind, and not
// about a path or a namespace that does not exist.
func About(status metav1.Status, kind string) bool {
	return status.Details != nil && strings.EqualFold(status.Details.Kind, kind)
}

// StatusOf is the API server's own answer in an error, if there is one.
func StatusOf(err error) (metav1.Status, bool) {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status(), true
	}
	return metav1.Status{}, false
}

// UnreadNode is the error of a Node that cannot be read.
func UnreadNode(err error, node string) error {
	switch {
	case apierrors.IsNotFound(err):
		return plan.Refuse(fmt.Errorf("node %q not found", node), "see the nodes there are: kubectl get nodes")
	case apierrors.IsForbidden(err):
		return mayNot(err, "get", "nodes")
	}
	return fmt.Errorf("read node %q: %w", node, err)
}

// UnreadList is the error of a list over all namespaces that cannot be read.
func UnreadList(err error, resource string) error {
	if apierrors.IsForbidden(err) {
		return mayNot(err, "list", resource)
	}
	return fmt.Errorf("list %s: %w", resource, err)
}

// unreadWatch is the error of a watch that is not allowed.
func unreadWatch(err error, resource string) error {
	return plan.Hint(fmt.Errorf("you may not list and watch %s in the whole cluster: %w", resource, err),
		"ask for the verbs list and watch on %s; 'kubectl auth can-i watch %s -A' shows whether you have them",
		resource, text.Quote(resource))
}

// mayNot is the refusal of a missing permission.
func mayNot(err error, verb, resource string) error {
	return plan.Refuse(fmt.Errorf("you may not %s %s in the whole cluster: %w", verb, resource, err),
		"ask for the verb %s on %s; 'kubectl auth can-i %s %s -A' shows whether you have it",
		verb, resource, text.Quote(verb), text.Quote(resource))
}
