// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// DefaultNamespace holds the records: it exists in every cluster, and what is
// there may be privileged.
const DefaultNamespace = "kube-system"

// Cluster is what is needed to reach a cluster's nodes.
type Cluster struct {
	Client kubernetes.Interface
	Config *rest.Config
	// Namespace holds the pod and the record; empty means DefaultNamespace.
	Namespace string
	// Image overrides the choice of an image; empty means one that runs on
	// the node already.
	Image string
}

// RunNamespace is where the records and the pods of runs are.
func (c Cluster) RunNamespace() string {
	if c.Namespace == "" {
		return DefaultNamespace
	}
	return c.Namespace
}

// guard refuses a namespace for runs in which tenants may work. A user who may
// create Secrets there could write a record and speak for a node's host, and one who
// may create pods, or attach to one, is root on the nodes. No question to the API
// tells who may; but only administrators set this label, and where it is set the
// right to create pods makes root on the nodes by itself.
func (c Cluster) guard(ctx context.Context) error {
	name := c.RunNamespace()
	if name == DefaultNamespace {
		return nil
	}
	space, err := c.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return plan.Refuse(fmt.Errorf("there is no namespace %s for the objects of a run", name), "leave out --namespace: they go to %s",
			DefaultNamespace)
	case apierrors.IsForbidden(err):
		return plan.Refuse(fmt.Errorf("whether namespace %s is one for runs cannot be read: %w", name, err),
			"ask for the right to get that namespace, or leave out --namespace")
	case err != nil:
		return fmt.Errorf("get namespace %s: %w", name, err)
	}
	if space.Labels[kube.EnforceLabel] != "privileged" {
		return plan.Refuse(fmt.Errorf("namespace %s is not marked as one for privileged pods: a user with the right to create secrets or "+
			"pods in it could speak for the hosts, or be root on them", name),
			"leave out --namespace; or, if only administrators may write there: %s", text.Command("kubectl", "label", "namespace", name,
				kube.EnforceLabel+"=privileged"))
	}
	return nil
}
