// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Cordon makes a node unschedulable, or schedulable again, and reports whether
// it had to change anything. A cordon that fails is an error, unlike in
// kubectl, which goes on and evicts (kubernetes/kubectl#1568); so is one that
// the server accepts but something takes back.
func Cordon(ctx context.Context, client kubernetes.Interface, node string, unschedulable bool) (changed bool, err error) {
	return cordon(ctx, client, node, unschedulable, metav1.PatchOptions{})
}

// TryCordon asks the server whether it would accept the same change, and
// changes nothing.
func TryCordon(ctx context.Context, client kubernetes.Interface, node string, unschedulable bool) (changes bool, err error) {
	return cordon(ctx, client, node, unschedulable, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
}

// WouldCordon only reads: it reports whether Cordon would have to change
// anything.
func WouldCordon(ctx context.Context, client kubernetes.Interface, node string, unschedulable bool) (changes bool, err error) {
	found, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return false, unreadNode(err, node)
	}
	return found.Spec.Unschedulable != unschedulable, nil
}

func cordon(ctx context.Context, client kubernetes.Interface, node string, unschedulable bool, options metav1.PatchOptions) (bool, error) {
	verb := choose(unschedulable, "cordon", "uncordon")
	found, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return false, unreadNode(err, node)
	}
	if found.Spec.Unschedulable == unschedulable {
		return false, nil
	}
	// The UID makes the server refuse if it is another Node by now.
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": found.UID},
		"spec":     map[string]any{"unschedulable": unschedulable},
	})
	if err != nil {
		return false, fmt.Errorf("%s node %q: %w", verb, node, err)
	}
	after, err := client.CoreV1().Nodes().Patch(ctx, node, types.StrategicMergePatchType, patch, options)
	switch {
	case apierrors.IsForbidden(err):
		return false, plan.Refuse(fmt.Errorf("%s node %q: %w", verb, node, err),
			"have 'patch' on 'nodes' allowed for you; 'kubectl auth can-i patch nodes' shows whether it is")
	case err != nil:
		return false, fmt.Errorf("%s node %q: %w", verb, node, err)
	case after.Spec.Unschedulable != unschedulable:
		return false, plan.Refuse(fmt.Errorf("%s node %q: the server accepted the change and did not make it", verb, node),
			"an admission webhook takes it back; see: kubectl get mutatingwebhookconfigurations")
	}
	return true, nil
}
