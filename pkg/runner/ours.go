// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// lookSuffix ends the name of what a look at a host makes.
const lookSuffix = "-look"

// IsRunnerPod reports whether a pod is one of this package, in the namespace of
// the runs (empty means DefaultNamespace). The label alone says nothing, for
// anybody may set it: the pod must be in that namespace, be named for the node that
// it is on, and be owned by the record of that name, or by nothing.
func IsRunnerPod(pod *corev1.Pod, namespace string) bool {
	operations := []wire.Operation{wire.Inspect, wire.Remove, wire.Move, wire.Bury}
	record := NameFor(pod.Spec.NodeName)
	foreign := func(o metav1.OwnerReference) bool {
		return o.APIVersion != "v1" || o.Kind != "Secret" || o.Name != pod.Name || o.Controller != nil && *o.Controller
	}
	return pod.Namespace == Cluster{Namespace: namespace}.namespace() && pod.Spec.NodeName != "" &&
		slices.Contains(operations, wire.Operation(pod.Labels[Label])) &&
		(pod.Name == record || pod.Name == record+lookSuffix) &&
		!slices.ContainsFunc(pod.OwnerReferences, foreign)
}

// podNamed reads one pod; nil if there is none. It lists, because that is what
// the documented role may do.
func podNamed(ctx context.Context, client kubernetes.Interface, namespace, name string) (*corev1.Pod, error) {
	list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()})
	if err != nil {
		return nil, fmt.Errorf("list pods named %s in namespace %s: %w", name, namespace, err)
	}
	for i := range list.Items {
		if list.Items[i].Name == name {
			return &list.Items[i], nil
		}
	}
	return nil, nil
}

// enforceLabel is the level of the Pod Security Standards that a namespace
// enforces.
const enforceLabel = "pod-security.kubernetes.io/enforce"

// guard refuses a namespace for runs in which tenants may work. Whoever may
// create Secrets there could write a record and speak for a node's host, and
// whoever may create pods, or attach to one, is root on the nodes. No question to
// the API tells who may; but only administrators set this label, and where it is
// set whoever may create pods is root on the nodes by that alone.
func (c Cluster) guard(ctx context.Context) error {
	name := c.namespace()
	if name == DefaultNamespace {
		return nil
	}
	space, err := c.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return plan.Refuse(fmt.Errorf("there is no namespace %s for the objects of a run", name), "leave out --namespace: they go to %s", DefaultNamespace)
	case apierrors.IsForbidden(err):
		return plan.Refuse(fmt.Errorf("whether namespace %s is one for runs cannot be read: %w", name, err),
			"ask for the right to get that namespace, or leave out --namespace")
	case err != nil:
		return fmt.Errorf("get namespace %s: %w", name, err)
	}
	if space.Labels[enforceLabel] != "privileged" {
		return plan.Refuse(fmt.Errorf("namespace %s is not marked as one for privileged pods: whoever may create secrets or pods in it could speak for the hosts, or be root on them", name),
			"leave out --namespace; or, if only administrators may write there: %s", text.Command("kubectl", "label", "namespace", name, enforceLabel+"=privileged"))
	}
	return nil
}
