// SPDX-License-Identifier: Apache-2.0

package departure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// How long the pods of a Node that is gone are waited for: a controller that is
// there takes its finalizer off within seconds, one that is not never does.
const (
	leavingsLimit = 10 * time.Second
	leavingsEvery = 500 * time.Millisecond
)

// Lingering is a pod of a Node that is gone which the API still has.
type Lingering struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Owner is its controller, "DaemonSet/agent"; empty if it has none.
	Owner string `json:"owner,omitempty"`
	// Finalizers hold it; where there are none it comes again and again.
	Finalizers []string `json:"finalizers,omitempty"`

	why string
}

// String is "shop/web-1 of ReplicaSet/web (finalizer example.com/hold)".
func (l Lingering) String() string {
	name := text.Line(l.Namespace + "/" + l.Name)
	if l.Owner != "" {
		name += " of " + text.Line(l.Owner)
	}
	if l.why == "" {
		return name
	}
	return name + " (" + l.why + ")"
}

// ClearPods deletes the pods that are still said to run on a Node which is gone:
// without a kubelet nothing confirms that they have ended, and they would stay
// Terminating. Then it looks again, and returns those that the API keeps. A Node of
// that name which has joined since has pods of its own: they are left alone.
func ClearPods(ctx context.Context, client kubernetes.Interface, name string, report plan.Report) ([]Lingering, error) {
	tried := map[types.UID]bool{}
	limit, tick := time.After(leavingsLimit), time.NewTicker(leavingsEvery)
	defer tick.Stop()
	for {
		pods, err := kubenode.PodsOn(ctx, client, name)
		if err != nil {
			return nil, err
		}
		// Asked after the list: pods of a Node that comes later are not in it.
		_, err = client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		switch {
		case err == nil:
			report("a node %s has joined again: its pods are left alone", name)
			return nil, nil
		case !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("get node %s: %w", name, err)
		}
		if len(pods) == 0 {
			sayDeleted(report, len(tried))
			return nil, nil
		}
		fresh := untried(pods, tried)
		if err := deletePods(ctx, client, fresh); err != nil {
			return nil, err
		}
		if len(tried) == len(fresh) && len(fresh) > 0 {
			continue // most of them are gone at once
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-limit:
			sayDeleted(report, len(tried)-len(pods))
			return lingering(pods), nil
		case <-tick.C:
		}
	}
}

// untried are the pods that were not deleted here yet; it notes them.
func untried(pods []corev1.Pod, tried map[types.UID]bool) []corev1.Pod {
	var out []corev1.Pod
	for _, pod := range pods {
		if !tried[pod.UID] {
			tried[pod.UID] = true
			out = append(out, pod)
		}
	}
	return out
}

func sayDeleted(report plan.Report, n int) {
	if n > 0 {
		report("%s deleted", text.Choose(n == 1, "1 pod that ran there is", fmt.Sprintf("%d pods that ran there are", n)))
	}
}

// deletePods deletes pods of a node that is no more, by their UIDs and without
// grace: there is no kubelet to give them any.
func deletePods(ctx context.Context, client kubernetes.Interface, pods []corev1.Pod) error {
	var errs []error
	now := int64(0)
	for _, pod := range pods {
		err := client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID},
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("delete pod %s/%s: %w", pod.Namespace, pod.Name, err))
		}
	}
	return errors.Join(errs...)
}

// lingering says of each pod why it is still there. It is pure.
func lingering(pods []corev1.Pod) []Lingering {
	var out []Lingering
	for i := range pods {
		pod := &pods[i]
		l := Lingering{Namespace: pod.Namespace, Name: pod.Name, Finalizers: pod.Finalizers, why: "it comes again and again"}
		if ref := metav1.GetControllerOf(pod); ref != nil {
			l.Owner = ref.Kind + "/" + ref.Name
		}
		if len(pod.Finalizers) > 0 {
			l.why = kubenode.Finalizers(pod)
		}
		out = append(out, l)
	}
	return out
}

// StillThere is the error, of class plan.Found, of pods that the API keeps after
// their Node is gone: what was asked for is done, and that is not all there is to
// say. It is nil if there are none.
func StillThere(left []Lingering) error {
	const most = 5
	if len(left) == 0 {
		return nil
	}
	var lines []string
	for i, l := range left {
		if i == most {
			lines = append(lines, fmt.Sprintf("and %d more", len(left)-most))
			break
		}
		lines = append(lines, l.String())
	}
	count := fmt.Sprintf("%d pods that ran there stay", len(left))
	if len(left) == 1 {
		count = "1 pod that ran there stays"
	}
	err := fmt.Errorf("%s in the API although the Node is gone:\n%s", count, strings.Join(lines, "\n"))
	return plan.As(plan.Found, plan.Hint(err, "the controller of a finalizer has to take it off; is it running?\n"+
		"if it is gone for good, take the finalizer off yourself: %s\n"+
		"%s", text.Command("kubectl", "-n", left[0].Namespace, "edit", "pod", left[0].Name), FinishesAtOnce))
}
