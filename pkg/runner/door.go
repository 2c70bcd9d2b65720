// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/remotecommand"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
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
	if err := c.awaitRunning(ctx, made, report); err != nil {
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
	report("starting pod %s/%s (image %s, nothing is pulled)", pod.Namespace, pod.Name, spec.image)
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
		return plan.Refuse(fmt.Errorf("admission rewrites the runner pod: %s", strings.Join(changed, ", ")),
			"exempt pods labelled %s in namespace %s from the webhook or plugin that does it (AlwaysPullImages, a mutating policy)", Label, pod.Namespace)
	}
	return nil
}

// sweep removes the finished door of an earlier run; one that is still open
// belongs to somebody.
func (c Cluster) sweep(ctx context.Context, spec podSpec) error {
	pods := c.Client.CoreV1().Pods(spec.namespace)
	old, err := pods.Get(ctx, spec.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get pod %s/%s: %w", spec.namespace, spec.name, err)
	}
	finished := old.Status.Phase == corev1.PodSucceeded || old.Status.Phase == corev1.PodFailed || old.DeletionTimestamp != nil
	if old.Labels[Label] == "" || (!finished && spec.owner == nil) {
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
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			return api.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return api.Watch(ctx, o)
		},
	}
}

// awaitRunning watches the pod until its container runs.
func (c Cluster) awaitRunning(ctx context.Context, pod *corev1.Pod, report plan.Report) error {
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
		return running, err
	})
	if errors.Is(err, context.DeadlineExceeded) || wait.Interrupted(err) {
		return plan.Refuse(fmt.Errorf("pod %s/%s does not start on node %s within %s: %s", pod.Namespace, pod.Name, pod.Spec.NodeName, openTimeout, last),
			"is the node's kubelet alive? See: kubectl describe node %s", text.Quote(pod.Spec.NodeName))
	}
	return err
}

// doorState says whether the door is open, what it does instead, and whether
// there is no use in waiting.
func doorState(pod *corev1.Pod) (running bool, say string, err error) {
	node := pod.Spec.NodeName
	if pod.Status.Phase == corev1.PodFailed {
		switch {
		case strings.HasPrefix(pod.Status.Reason, "OutOf"), pod.Status.Reason == "UnexpectedAdmissionError":
			return false, "", plan.Refuse(fmt.Errorf("node %s is too full for the runner pod: %s", node, pod.Status.Message),
				"make room for one pod there: kubectl get pods -A --field-selector spec.nodeName=%s", text.Quote(node))
		default:
			return false, "", plan.Refuse(fmt.Errorf("the runner pod failed on node %s: %s %s", node, pod.Status.Reason, pod.Status.Message),
				"see: kubectl describe node %s", text.Quote(node))
		}
	}
	for _, s := range pod.Status.ContainerStatuses {
		switch {
		case s.State.Running != nil:
			return true, "running", nil
		case s.State.Terminated != nil:
			return false, "", plan.Refuse(fmt.Errorf("the runner pod ended at once on node %s: exit code %d %s", node, s.State.Terminated.ExitCode, s.State.Terminated.Message),
				"the host needs /usr/bin/nsenter (util-linux) and /bin/sh; see: kubectl describe node %s", text.Quote(node))
		case s.State.Waiting != nil:
			w := s.State.Waiting
			if w.Reason == "ErrImageNeverPull" || w.Reason == "InvalidImageName" || w.Reason == "CreateContainerError" || w.Reason == "RunContainerError" {
				return false, "", plan.Refuse(fmt.Errorf("the runner pod cannot start on node %s: %s: %s", node, w.Reason, w.Message),
					"choose an image that is on that node: --runner-image IMAGE")
			}
			return false, strings.TrimSpace(w.Reason + " " + w.Message), nil
		}
	}
	return false, "waiting for the kubelet of " + node, nil
}

// pass streams the program and the delivery through the door and returns the
// program's answer.
func (c Cluster) pass(ctx context.Context, pod *corev1.Pod, program []byte, d wire.Delivery) (wire.Answer, error) {
	line, err := json.Marshal(d)
	if err != nil {
		return wire.Answer{}, fmt.Errorf("encode the delivery: %w", err)
	}
	request := c.Client.CoreV1().RESTClient().Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).
		SubResource("attach").VersionedParams(&corev1.PodAttachOptions{
		Container: containerName, Stdin: true, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
	executor, err := newExecutor(c.Config, request.URL())
	if err != nil {
		return wire.Answer{}, fmt.Errorf("attach to pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	var out, errOut bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{
		Stdin:  io.MultiReader(strings.NewReader(knock), bytes.NewReader(program), bytes.NewReader(append(line, '\n'))),
		Stdout: &out, Stderr: &errOut,
	})
	answer, found := findAnswer(out.Bytes())
	switch {
	case found && answer.Error != "":
		return answer, plan.Refuse(fmt.Errorf("node %s: %s", pod.Spec.NodeName, answer.Error), "%s", answer.Hint)
	case found:
		return answer, nil
	case err != nil:
		return answer, plan.Refuse(fmt.Errorf("%w to pod %s/%s: %w%s", errAttach, pod.Namespace, pod.Name, err, tail(errOut.String())),
			"attach goes through the API server to port 10250 of the node: may you 'create pods/attach', and is that port open?")
	}
	return answer, fmt.Errorf("the program on node %s ended without an answer%s", pod.Spec.NodeName, tail(errOut.String()))
}

// errAttach is wrapped by the error of a door that nothing can be streamed
// through.
var errAttach = errors.New("attach")

// knock is the byte that says to the receiver that somebody is there.
const knock = "\n"

func tail(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return ""
	}
	return ": " + s[max(0, len(s)-500):]
}

func findAnswer(out []byte) (answer wire.Answer, found bool) {
	for line := range bytes.Lines(out) {
		rest, ok := bytes.CutPrefix(line, []byte(wire.AnswerPrefix))
		if ok && json.Unmarshal(rest, &answer) == nil {
			found = true
		}
	}
	return answer, found
}
