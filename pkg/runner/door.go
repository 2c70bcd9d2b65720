// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// openTimeout bounds the start of the door: a pod that is pinned and pulls
// nothing runs within seconds or not at all.
const openTimeout = 90 * time.Second

// Cluster is what is needed to reach a cluster's nodes.
type Cluster struct {
	Client kubernetes.Interface
	Config *rest.Config
	// Namespace holds the pod and the record; empty means DefaultNamespace.
	Namespace string
	// Image overrides the choice of an image; empty means one that runs on
	// the node already.
	Image string
}

func (c Cluster) namespace() string {
	if c.Namespace == "" {
		return DefaultNamespace
	}
	return c.Namespace
}

// open makes the door on a node and waits until it runs. It refuses, with
// nothing changed, where admission rejects or rewrites the pod, where the node
// is full, and where the container does not start.
func (c Cluster) open(ctx context.Context, spec podSpec, report plan.Report) (*corev1.Pod, error) {
	made, err := c.make(ctx, spec, report)
	if err != nil {
		return nil, err
	}
	if err := c.awaitRunning(ctx, spec, made, report); err != nil {
		return nil, errors.Join(err, c.close(ctx, made))
	}
	return made, nil
}

// make creates the door.
func (c Cluster) make(ctx context.Context, spec podSpec, report plan.Report) (*corev1.Pod, error) {
	pods := c.Client.CoreV1().Pods(spec.namespace)
	pod := podFor(spec)
	if err := c.rehearse(ctx, pod); err != nil {
		return nil, err
	}
	report("starting pod %s/%s (image %s, %s; nothing is pulled)", pod.Namespace, pod.Name, spec.image.image, spec.image.of)
	made, err := pods.Create(ctx, pod, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		if err := c.sweep(ctx, spec); err != nil {
			return nil, err
		}
		made, err = pods.Create(ctx, pod, metav1.CreateOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("create pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	// What was rehearsed may not be what was made: a webhook may look at dryRun.
	if changed := rewritten(pod, made); len(changed) > 0 {
		return nil, errors.Join(refuseRewritten(pod, changed), c.close(ctx, made))
	}
	return made, nil
}

// rehearse creates the pod with a server-side dry run: what comes back must be
// what was sent.
func (c Cluster) rehearse(ctx context.Context, pod *corev1.Pod) error {
	got, err := c.Client.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsInternalError(err):
		return plan.Refuse(fmt.Errorf("the cluster does not admit the runner pod in namespace %s: %w", pod.Namespace, err),
			"allow a privileged pod there (pod-security label, policy exception, RBAC 'create pods'), or choose another --namespace")
	case err != nil:
		return fmt.Errorf("rehearse pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	if changed := rewritten(pod, got); len(changed) > 0 {
		return refuseRewritten(pod, changed)
	}
	return nil
}

// refuseRewritten is the refusal of a pod that is not as it was sent.
func refuseRewritten(pod *corev1.Pod, changed []string) error {
	return plan.Refuse(fmt.Errorf("admission rewrites the runner pod: %s", strings.Join(changed, ", ")),
		"exempt pods labelled %s in namespace %s from the webhook or plugin that does it (a sidecar injector, a mutating policy, AlwaysPullImages); see: kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies", Label, pod.Namespace)
}

// sweep removes the finished door of an earlier run; one that is still open
// belongs to somebody, and a pod that is no door stays.
func (c Cluster) sweep(ctx context.Context, spec podSpec) error {
	old, err := podNamed(ctx, c.Client, spec.namespace, spec.name)
	if err != nil || old == nil {
		return err
	}
	finished := old.Status.Phase == corev1.PodSucceeded || old.Status.Phase == corev1.PodFailed || old.DeletionTimestamp != nil
	if !IsRunnerPod(old, spec.namespace) {
		return plan.Refuse(fmt.Errorf("pod %s/%s is there and is no runner pod", old.Namespace, old.Name),
			"look at it; if nobody needs it: %s", text.Command("kubectl", "-n", old.Namespace, "delete", "pod", old.Name))
	}
	if !finished && spec.owner == nil {
		return plan.Refuse(fmt.Errorf("%w: pod %s/%s (%s) since %s", ErrBusy, old.Namespace, old.Name, old.Labels[Label], old.CreationTimestamp.Local().Format(time.DateTime)),
			"wait until it ends, or delete that pod if nobody uses it")
	}
	return c.close(ctx, old)
}

// close deletes a door and waits until it is gone, after an interruption too.
func (c Cluster) close(ctx context.Context, pod *corev1.Pod) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	uid, now := pod.UID, int64(0)
	err := c.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	_, err = watchtools.UntilWithSync(ctx, c.onlyPod(pod), &corev1.Pod{}, func(store cache.Store) (bool, error) {
		return len(store.List()) == 0, nil
	}, func(e watch.Event) (bool, error) { return e.Type == watch.Deleted, nil })
	if err != nil {
		return fmt.Errorf("wait until pod %s/%s is gone: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

func (c Cluster) onlyPod(pod *corev1.Pod) cache.ListerWatcher {
	selector := fields.OneTermEqualSelector("metadata.name", pod.Name).String()
	api := c.Client.CoreV1().Pods(pod.Namespace)
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			return api.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return api.Watch(ctx, o)
		},
	}, c.Client)
}

// awaitRunning watches the pod until its container runs, as it was sent: nothing
// is streamed into a pod that somebody has changed since.
func (c Cluster) awaitRunning(ctx context.Context, spec podSpec, pod *corev1.Pod, report plan.Report) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	last := "nothing yet"
	_, err := watchtools.UntilWithSync(ctx, c.onlyPod(pod), &corev1.Pod{}, nil, func(e watch.Event) (bool, error) {
		got, ok := e.Object.(*corev1.Pod)
		if !ok || got.UID != pod.UID {
			return false, nil
		}
		if e.Type == watch.Deleted {
			return false, fmt.Errorf("pod %s/%s was deleted by somebody", pod.Namespace, pod.Name)
		}
		running, say, err := doorState(got)
		if say != last && say != "" {
			report("pod %s/%s: %s", pod.Namespace, pod.Name, say)
			last = say
		}
		if changed := rewritten(podFor(spec), got); running && len(changed) > 0 {
			return false, refuseRewritten(got, changed)
		}
		return running, err
	})
	if errors.Is(err, context.DeadlineExceeded) || wait.Interrupted(err) {
		return plan.Refuse(fmt.Errorf("pod %s/%s does not start on node %s within %s: %s", pod.Namespace, pod.Name, pod.Spec.NodeName, openTimeout, last),
			"is the node's kubelet alive? See: kubectl describe node %s", text.Quote(pod.Spec.NodeName))
	}
	return err
}
