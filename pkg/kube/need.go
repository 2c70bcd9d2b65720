// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Need is one thing that has to be allowed; no Namespace means all of them.
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

// Require asks the API server for each Need and refuses (class Refused) with the list of
// what is missing, before anything is changed.
func Require(ctx context.Context, client kubernetes.Interface, needs []Need) error {
	denied, err := Denied(ctx, client, needs, func(n Need) authorizationv1.ResourceAttributes {
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
