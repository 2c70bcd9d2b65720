// SPDX-License-Identifier: Apache-2.0

package newcluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// settlesWithin is how long a new control plane may take until its controllers have seen
// the first node.
const settlesWithin = time.Minute

// ErrOutOfReach says that a cluster is made, and cannot be reached from here.
var ErrOutOfReach = errors.New("the API server does not answer")

// Settle waits until a new cluster can be given a network: its first node is there, and
// has its range of the pods' network. kubeadm does not wait for that.
func Settle(ctx context.Context, client kubernetes.Interface, node string, report plan.Report) error {
	ctx, cancel := context.WithTimeout(ctx, settlesWithin)
	defer cancel()
	var last error
	said := ""
	err := wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		var why string
		why, last = settled(ctx, client, node)
		if why != said && why != "" {
			said = why
			report("%s", why)
		}
		return why == "" && last == nil, nil
	})
	if err == nil {
		return nil
	}
	if last != nil {
		return fmt.Errorf("%w: %w", ErrOutOfReach, last)
	}
	return plan.Hint(fmt.Errorf("the cluster is made, and not complete within %s: %s", settlesWithin, said),
		"look at its control plane (kubectl -n kube-system get pods), and run the command again")
}

// settled is what is still missing; empty for nothing.
func settled(ctx context.Context, client kubernetes.Interface, name string) (string, error) {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "there is no Node " + name + " yet", nil
	case err != nil:
		return "", err
	}
	return lacking(node), nil
}

// lacking is what a new node lacks before its network. It is pure.
func lacking(node *corev1.Node) string {
	if node.Spec.PodCIDR == "" {
		return "kube-controller-manager has not given node " + node.Name + " a range of the pods' network yet"
	}
	return ""
}
