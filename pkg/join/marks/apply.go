// SPDX-License-Identifier: Apache-2.0

package marks

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Needs are what must be allowed for marks; nothing for none.
func (m Marks) Needs() []kube.Need {
	if m.None() {
		return nil
	}
	return []kube.Need{{Verb: "get", Resource: "nodes"}, {Verb: "patch", Resource: "nodes"}}
}

// Apply gives a node its marks. What it has already is left as it is; a change by another
// client in the meantime is taken into account.
func (m Marks) Apply(ctx context.Context, client kubernetes.Interface, name string, report plan.Report) error {
	nodes := client.CoreV1().Nodes()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		node, err := nodes.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		labels, taints := m.change(node)
		if labels == nil && taints == nil {
			report("not needed: node %s has them", name)
			return nil
		}
		metadata := map[string]any{"resourceVersion": node.ResourceVersion}
		patch := map[string]any{"metadata": metadata}
		if labels != nil {
			metadata["labels"] = labels
		}
		if taints != nil {
			patch["spec"] = map[string]any{"taints": taints}
		}
		raw, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		_, err = nodes.Patch(ctx, name, types.MergePatchType, raw, metav1.PatchOptions{FieldManager: "kubectl-lifecycle"})
		return err
	})
	if err == nil {
		return nil
	}
	err = fmt.Errorf("label or taint node %s, which has joined: %w", name, err)
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return plan.Hint(err, "see kubectl label and kubectl taint; take the node back: %s", text.Command("kubectl", "lifecycle", "remove", name))
	}
	return err
}
