// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// privileged is what the agents' namespace needs where Pod Security admission
// is on: enforce lets the pods in; the other two keep quiet about what is meant
// to be.
func privileged() map[string]string {
	return map[string]string{
		"pod-security.kubernetes.io/enforce": "privileged",
		"pod-security.kubernetes.io/audit":   "privileged",
		"pod-security.kubernetes.io/warn":    "privileged",
	}
}

// ownNamespace says that the namespace is the network's, to be made and labelled.
// kube-system is the cluster's own: it is there, and admits what a control plane
// runs.
func (inst Installation) ownNamespace() bool { return inst.Namespace != metav1.NamespaceSystem }

// namespaceNeeded tells whether the namespace has to be made or labelled. One
// that lets privileged pods in is left alone, whatever else it says.
func namespaceNeeded(ctx context.Context, client kubernetes.Interface, name string) (bool, error) {
	ns, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("get namespace %s: %w", name, err)
	case ns.DeletionTimestamp != nil:
		return false, plan.Refuse(fmt.Errorf("namespace %s is being deleted", name),
			"run this again when it is gone; what keeps it: kubectl get namespace %s -o yaml (status.conditions)", text.Quote(name))
	}
	// What an admission configuration exempts needs no label, but one does no
	// harm there either.
	return ns.Labels["pod-security.kubernetes.io/enforce"] != "privileged", nil
}

func ensureNamespace(ctx context.Context, client kubernetes.Interface, name string) error {
	namespaces := client.CoreV1().Namespaces()
	_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: privileged()}},
		metav1.CreateOptions{})
	if err == nil {
		return nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": privileged()}})
	if err != nil {
		return fmt.Errorf("label namespace %s: %w", name, err)
	}
	if _, err := namespaces.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("label namespace %s: %w", name, err)
	}
	return nil
}
