// SPDX-License-Identifier: Apache-2.0

package newcontrolplane

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// components are the static pods that kubeadm gives a control plane, etcd's last: it is
// not there where etcd has hosts of its own.
func components(externalEtcd bool) []string {
	all := []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"}
	if externalEtcd {
		return all
	}
	return append(all, "etcd")
}

// Await waits until the Node of a host is a control plane whose components are Ready,
// and says which are not. It refuses a Node that is none: the host joined as a worker.
func Await(ctx context.Context, client kubernetes.Interface, name string, externalEtcd bool, report plan.Report) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("get node %s: %w", name, err)
	}
	if !kubenode.IsControlPlane(node) {
		return plan.Refuse(fmt.Errorf("node %s is a worker", name), "remove it, then join it again: %s",
			text.Command("kubectl", "lifecycle", "remove", name))
	}
	said := ""
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		var waits []string
		for _, component := range components(externalEtcd) {
			pod, err := client.CoreV1().Pods(metav1.NamespaceSystem).Get(ctx, component+"-"+name, metav1.GetOptions{})
			switch {
			case apierrors.IsNotFound(err):
				waits = append(waits, component+" has not started")
			case err != nil:
				return false, fmt.Errorf("get pod %s-%s: %w", component, name, err)
			case pod.Spec.NodeName != name:
				// A kubelet may mirror static pods of any name, but on its own node alone.
				waits = append(waits, component+" has not started")
			case !podReady(pod):
				waits = append(waits, component+" is not Ready")
			}
		}
		if why := strings.Join(waits, ", "); why != said {
			said = why
			if why != "" {
				report("%s", why)
			}
		}
		return len(waits) == 0, nil
	})
}

func podReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
