// SPDX-License-Identifier: Apache-2.0

package podcarrier

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
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/payload"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// openTimeout bounds the start of the pod: one that is pinned and pulls
// nothing runs within seconds or not at all.
const openTimeout = 90 * time.Second

// Label marks the pods of a run, and everything else that it makes in the cluster,
// with the operation.
const Label = kube.RunnerLabel

// ErrBusy is wrapped by the refusal of a node that another run holds.
var ErrBusy = errors.New("the node is being worked on")

// ErrNoStream is wrapped by the error of a pod that nothing can be streamed into:
// the program would have to travel in Secrets, and the delivery names no record that
// could own them.
var ErrNoStream = errors.New("attach")

// Request says which node is to be reached, and what for.
type Request struct {
	// Name and Namespace are the pod's.
	Name, Namespace string
	Operation       wire.Operation
	Node            *corev1.Node
	// Record owns the pod; nil where there is none.
	Record *wire.Ref
	// Image overrides the choice of an image; empty means one that runs on the
	// node already.
	Image string
	// Ours tells the pods of runs from others that have such a name.
	Ours func(*corev1.Pod) bool
}

// Carrier brings the node program onto one node through a pod.
type Carrier struct {
	client kubernetes.Interface
	config *rest.Config
	ours   func(*corev1.Pod) bool
	spec   podSpec
	// pod is the one that runs, nil while there is none.
	pod *corev1.Pod
	// noStream is why nothing can be streamed into it.
	noStream error
}

// New gathers what the pod is made of; it waits for a moment where the pods whose image
// may be used are just starting. It refuses a node that has no room for it, or no image
// that may run privileged; nothing has changed by then.
func New(ctx context.Context, client kubernetes.Interface, config *rest.Config, r Request, report plan.Report) (*Carrier, error) {
	program, err := payload.For(r.Node.Status.NodeInfo.Architecture)
	if err != nil {
		return nil, err
	}
	pods, err := podsOn(ctx, client, r.Node.Name)
	if err != nil {
		return nil, err
	}
	if err := fits(r.Node, pods.Items); err != nil {
		return nil, err
	}
	picked, err := images{client, r.Image}.await(ctx, r.Node, pods.Items, report)
	if err != nil {
		return nil, err
	}
	return &Carrier{client: client, config: config, ours: r.Ours, spec: podSpec{
		name: r.Name, namespace: r.Namespace, operation: string(r.Operation), image: picked, node: r.Node,
		program: program, mountDir: newMountDir(), owner: ownerOf(r.Record),
	}}, nil
}

// ownerOf makes what is created for a run go with its record.
func ownerOf(record *wire.Ref) *metav1.OwnerReference {
	if record == nil {
		return nil
	}
	return &metav1.OwnerReference{APIVersion: "v1", Kind: "Secret", Name: record.Name, UID: types.UID(record.UID)}
}

// Open creates the pod and waits until it runs. It refuses, with nothing changed,
// where admission rejects or rewrites the pod, where the node is full, and where the
// container does not start.
func (c *Carrier) Open(ctx context.Context, report plan.Report) error {
	made, err := c.make(ctx, report)
	if err != nil {
		return err
	}
	if err := c.awaitRunning(ctx, made, report); err != nil {
		return errors.Join(err, c.close(ctx, made))
	}
	c.pod = made
	return nil
}

// Deliver hands the program and a delivery to the host, and returns the program's
// answer. They are streamed through the pod. Where nothing can be streamed (a kubelet
// whose serving certificate is not approved, a policy against attach), they travel
// in Secrets of the delivery's record that another pod has mounted, and the program
// leaves its result in that record; a delivery without a record gets ErrNoStream.
func (c *Carrier) Deliver(ctx context.Context, delivery wire.Delivery, report plan.Report) (wire.Answer, error) {
	if c.noStream == nil {
		answer, err := c.stream(ctx, delivery)
		if !errors.Is(err, ErrNoStream) || ctx.Err() != nil {
			return answer, err
		}
		c.noStream = err
	}
	if delivery.Spec.Record.Name == "" {
		return wire.Answer{}, c.noStream
	}
	report("cannot stream to this node (%v): sending the program in Secrets", c.noStream)
	if err := c.Close(ctx); err != nil {
		return wire.Answer{}, err
	}
	c.spec.owner = ownerOf(&delivery.Spec.Record)
	return wire.Answer{}, c.send(ctx, delivery, report)
}

// Close deletes the pod, if there is one, and waits until it is gone.
func (c *Carrier) Close(ctx context.Context) error {
	if c.pod == nil {
		return nil
	}
	err := c.close(ctx, c.pod)
	if err == nil {
		c.pod = nil
	}
	return err
}

// make creates the pod.
func (c *Carrier) make(ctx context.Context, report plan.Report) (*corev1.Pod, error) {
	pods := c.client.CoreV1().Pods(c.spec.namespace)
	pod := c.spec.pod()
	if err := c.rehearse(ctx, pod); err != nil {
		return nil, err
	}
	report("starting pod %s/%s (image %s, %s; nothing is pulled)", pod.Namespace, pod.Name, c.spec.image.image, c.spec.image.of)
	made, err := pods.Create(ctx, pod, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		if err := c.sweep(ctx); err != nil {
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
func (c *Carrier) rehearse(ctx context.Context, pod *corev1.Pod) error {
	got, err := c.client.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
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
		"exempt pods labelled %s in namespace %s from the webhook or plugin that does it (a sidecar injector, a mutating policy, "+
			"AlwaysPullImages); see: kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies", Label, pod.Namespace)
}

// sweep removes the finished pod of an earlier run. One that still runs belongs to
// another command, and a pod that is no runner pod stays.
func (c *Carrier) sweep(ctx context.Context) error {
	old, err := Named(ctx, c.client, c.spec.namespace, c.spec.name)
	if err != nil || old == nil {
		return err
	}
	finished := old.Status.Phase == corev1.PodSucceeded || old.Status.Phase == corev1.PodFailed || old.DeletionTimestamp != nil
	if !c.ours(old) {
		return plan.Refuse(fmt.Errorf("pod %s/%s already exists and is not a runner pod", old.Namespace, old.Name),
			"look at it; if it is not needed, delete it: %s", text.Command("kubectl", "-n", old.Namespace, "delete", "pod", old.Name))
	}
	if !finished && c.spec.owner == nil {
		return plan.Refuse(fmt.Errorf("%w: pod %s/%s (%s) since %s", ErrBusy, old.Namespace, old.Name, old.Labels[Label],
			old.CreationTimestamp.Local().Format(time.DateTime)),
			"wait until it ends, or delete that pod if it is not in use")
	}
	return c.close(ctx, old)
}

// close deletes a pod and waits until it is gone, after an interruption too.
func (c *Carrier) close(ctx context.Context, pod *corev1.Pod) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	uid, now := pod.UID, int64(0)
	err := c.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	_, err = watchtools.UntilWithSync(ctx, c.only(pod), &corev1.Pod{}, func(store cache.Store) (bool, error) {
		return len(store.List()) == 0, nil
	}, func(e watch.Event) (bool, error) { return e.Type == watch.Deleted, nil })
	if err != nil {
		return fmt.Errorf("wait until pod %s/%s is gone: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

// only lists and watches one pod.
func (c *Carrier) only(pod *corev1.Pod) cache.ListerWatcher {
	return kube.Only(c.client, c.client.CoreV1().Pods(pod.Namespace), pod.Name)
}

// awaitRunning watches the pod until its container runs, as it was sent: nothing
// is streamed into a pod that was changed since.
func (c *Carrier) awaitRunning(ctx context.Context, pod *corev1.Pod, report plan.Report) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	last := "nothing yet"
	_, err := watchtools.UntilWithSync(ctx, c.only(pod), &corev1.Pod{}, nil, func(e watch.Event) (bool, error) {
		got, ok := e.Object.(*corev1.Pod)
		if !ok || got.UID != pod.UID {
			return false, nil
		}
		if e.Type == watch.Deleted {
			return false, fmt.Errorf("pod %s/%s was deleted", pod.Namespace, pod.Name)
		}
		running, say, err := podState(got)
		if say != last && say != "" {
			report("pod %s/%s: %s", pod.Namespace, pod.Name, say)
			last = say
		}
		if changed := rewritten(c.spec.pod(), got); running && len(changed) > 0 {
			return false, refuseRewritten(got, changed)
		}
		return running, err
	})
	if errors.Is(err, context.DeadlineExceeded) || wait.Interrupted(err) {
		return plan.Refuse(fmt.Errorf("pod %s/%s does not start on node %s within %s: %s", pod.Namespace, pod.Name, pod.Spec.NodeName,
			openTimeout, last),
			"is the node's kubelet alive? See: kubectl describe node %s", text.Quote(pod.Spec.NodeName))
	}
	return err
}
