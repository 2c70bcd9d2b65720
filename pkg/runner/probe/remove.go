// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// remove takes away the Service and the pods.
func (r *run) remove(ctx context.Context) error {
	var mu sync.Mutex
	var errs []error
	var all sync.WaitGroup
	if r.service != nil {
		errs = append(errs, r.removeService(ctx))
	}
	for _, p := range r.probes {
		all.Go(func() {
			err := p.Close(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// removeService takes away the Service, if it is still the one that was made.
func (r *run) removeService(ctx context.Context) error {
	uid := r.service.UID
	err := r.cluster.Client.CoreV1().Services(r.service.Namespace).Delete(ctx, r.service.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete service %s/%s: %w", r.service.Namespace, r.service.Name, err)
	}
	return nil
}

// sweep deletes what a probe left that was killed: its pods, which end by themselves
// when nothing is at the other end. Its Service goes with the pod that owns it. A pod
// that still runs is another command's.
func (r *run) sweep(ctx context.Context) error {
	pods := r.cluster.Client.CoreV1().Pods(r.cluster.RunNamespace())
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: runner.Label + "=" + string(wire.ProbeNetwork)})
	if err != nil {
		return fmt.Errorf("list pods of probes: %w", err)
	}
	for _, old := range ended(list.Items, r.cluster.Namespace) {
		uid := old.UID
		err := pods.Delete(ctx, old.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete pod %s/%s, left by a probe: %w", old.Namespace, old.Name, err)
		}
		r.report("deleted pod %s/%s, which a probe has left", old.Namespace, old.Name)
	}
	return nil
}

// ended are the pods of probes that have ended. It is pure.
func ended(pods []corev1.Pod, namespace string) (out []*corev1.Pod) {
	for i := range pods {
		p := &pods[i]
		if runner.IsProbePod(p, namespace) && (p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed) {
			out = append(out, p)
		}
	}
	return out
}
