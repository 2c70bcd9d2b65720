// SPDX-License-Identifier: Apache-2.0

package newhost

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// AwaitReady waits until the Node of a host that has joined earlier is Ready, and says
// what its kubelet says as long as it is not. A Node may still have the Ready of an earlier life
// of the host: it counts once its kubelet reports.
func AwaitReady(ctx context.Context, client kubernetes.Interface, name string, report plan.Report) error {
	said, alive := "", false
	say := func(why string) {
		if why != said {
			said = why
			report("node %s: %s", name, why)
		}
	}
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			say("the API server has no such Node; does the kubelet run there?")
			return false, nil
		case err != nil:
			return false, fmt.Errorf("get node %s: %w", name, err)
		case kube.NodeReady(node) && alive:
			return true, nil
		case kube.NodeReady(node):
			if alive, err = kubenode.Alive(ctx, client, name); !alive && err == nil {
				say("it is Ready by what its kubelet said earlier, and its kubelet does not report; does it run there?")
			}
			return false, err
		}
		say(notReady(node))
		return false, nil
	})
}

// notReady is why a node is not Ready, in its kubelet's words.
func notReady(node *corev1.Node) string {
	if c := kube.ReadyCondition(node); c != nil && c.Message != "" {
		return c.Message
	}
	return "its kubelet has not reported yet"
}
