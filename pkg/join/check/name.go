// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Name looks whether a host may take a name. A name that no Node can have
// is of class Misused; one that a Ready Node has is refused, since kubeadm
// would; one that a Node has which is not Ready is a warning: the host takes
// it over, and what keeps pods away from that Node with it. An empty name is
// fine; note may be nil.
func Name(ctx context.Context, client kubernetes.Interface, name string, note CordonNote) ([]Warning, error) {
	if name == "" {
		return nil, nil
	}
	if err := ValidName(name); err != nil {
		return nil, err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get node %s: %w", name, err)
	case kube.NodeReady(node):
		return nil, plan.Refuse(fmt.Errorf("node %s is in the cluster and Ready", name),
			"choose another name, or remove that node first: kubectl lifecycle remove %s", text.Quote(name))
	}
	ws := []Warning{{
		Text: fmt.Sprintf("node %s is in the cluster, not Ready: the host will take it over, labels and taints included", name),
		Hint: "if that is another host, choose another name; if it is gone: kubectl delete node " + text.Quote(name),
	}}
	return append(ws, WarningsOf(Staying(Barriers(node, note)))...), nil
}

// ValidName returns an error of class Misused for what no Node can be named.
func ValidName(name string) error {
	if faults := validation.IsDNS1123Subdomain(name); len(faults) > 0 {
		return plan.As(plan.Misused, plan.Hint(fmt.Errorf("%q is not a valid name of a node", text.Brief(name)), "%s", faults[0]))
	}
	return nil
}
