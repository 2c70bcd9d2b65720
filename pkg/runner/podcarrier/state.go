// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// podState says whether the pod runs, what it does instead, and whether there is no
// use in waiting.
func podState(pod *corev1.Pod) (running bool, say string, err error) {
	node := pod.Spec.NodeName
	if pod.Status.Phase == corev1.PodFailed {
		return false, "", rejected(node, pod.Status.Reason, pod.Status.Message)
	}
	for _, s := range pod.Status.ContainerStatuses {
		switch {
		case s.State.Running != nil:
			return true, "running", nil
		case s.State.Terminated != nil:
			return false, "", plan.Refuse(fmt.Errorf("the runner pod ended at once on node %s: exit code %d %s", node, s.State.Terminated.ExitCode,
				s.State.Terminated.Message),
				"the host needs /usr/bin/env, /usr/bin/nsenter (util-linux) and /bin/sh; see: %s", describe(node))
		case s.State.Waiting != nil:
			if err := unstartable(pod, s.Image, *s.State.Waiting); err != nil {
				return false, "", err
			}
			return false, strings.TrimSpace(s.State.Waiting.Reason + " " + s.State.Waiting.Message), nil
		}
	}
	return false, "waiting for the kubelet of " + node, nil
}

// unstartable is the refusal of a container that will not start however long one
// waits; nil for one that may.
func unstartable(pod *corev1.Pod, image string, w corev1.ContainerStateWaiting) error {
	if image == "" && len(pod.Spec.Containers) > 0 {
		image = pod.Spec.Containers[0].Image
	}
	why := fmt.Errorf("the runner pod cannot start on node %s: %s: %s", pod.Spec.NodeName, w.Reason, w.Message)
	switch w.Reason {
	case "ErrImageNeverPull":
		return plan.Refuse(fmt.Errorf("%w (image %s)", why, image),
			"either that image is not on the node under this name (there: crictl images), or it was pulled with a secret, which since Kubernetes "+
				"1.35 only pods with that secret may use (KubeletEnsureSecretPulledImages); "+
				"name one that is there and was pulled without: --runner-image IMAGE")
	case "InvalidImageName":
		return plan.Refuse(why, "name an image that is on the node: --runner-image IMAGE")
	case "CreateContainerError", "RunContainerError":
		return plan.Refuse(why, "the host needs /usr/bin/env and /usr/bin/nsenter (util-linux); if it is the image that does not fit, name "+
			"another one that is on the node: --runner-image IMAGE")
	}
	return nil
}

// rejected is the refusal of a pod that the kubelet did not take, or has ended.
func rejected(node, reason, message string) error {
	byHand := text.Command("kubectl", "lifecycle", "node-program", "--help")
	switch {
	case strings.HasPrefix(reason, "OutOf"), reason == "UnexpectedAdmissionError":
		return plan.Refuse(fmt.Errorf("node %s is too full for the runner pod: %s", node, message),
			"make room for one pod there: kubectl get pods -A --field-selector spec.nodeName=%s", text.Quote(node))
	case reason == "Evicted":
		return plan.Refuse(fmt.Errorf("the kubelet of node %s does not take the runner pod, or has evicted it: %s", node, message),
			"a kubelet that is short of disk, process IDs or memory takes critical pods only: free some of what it names, or allow priority "+
				"class %s in the namespace of the runner; or run the program on the host by hand: %s", criticalPriority, byHand)
	case reason == "NodeShutdown", reason == "Terminated", reason == "Shutdown":
		return plan.Refuse(fmt.Errorf("node %s is shutting down and takes no pods: %s", node, message),
			"run the same command again when it is back")
	case reason == "NodeAffinity", reason == "NodeName", reason == "NodeSelector":
		return plan.Refuse(fmt.Errorf("the kubelet of node %s says that the runner pod is not for it: %s: %s", node, reason, message),
			"is a node selector set for the namespace of the runner (annotation scheduler.alpha.kubernetes.io/node-selector)? Remove it there, "+
				"or choose another --namespace")
	case reason == "DeadlineExceeded":
		return plan.Refuse(fmt.Errorf("the runner pod on node %s was ended after %d s: %s", node, deadline, message),
			"run the same command again; see: %s", describe(node))
	}
	return plan.Refuse(fmt.Errorf("the runner pod failed on node %s: %s: %s", node, reason, message),
		"see why: %s; or run the program on the host by hand: %s", describe(node), byHand)
}

func describe(node string) string { return text.Command("kubectl", "describe", "node", node) }

// fits refuses a node that runs as many pods as it may: the kubelet would
// reject the pod (OutOfpods), and only after it was created.
func fits(node *corev1.Node, pods []corev1.Pod) error {
	var active int64
	for _, p := range pods {
		if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			active++
		}
	}
	limit := node.Status.Allocatable.Pods().Value()
	if limit > 0 && active >= limit {
		return plan.Refuse(fmt.Errorf("node %s is full: it runs %d of at most %d pods, and the runner needs one", node.Name, active, limit),
			"cordon it, so that no pending pod takes the place, and delete a pod on it: kubectl cordon %s; "+
				"kubectl get pods -A --field-selector spec.nodeName=%s; or drain it first, which needs no pod there: kubectl lifecycle drain %s",
			text.Quote(node.Name), text.Quote(node.Name), text.Quote(node.Name))
	}
	return nil
}

// Named reads one pod; nil if there is none. It lists, because that is what the
// documented role may do.
func Named(ctx context.Context, client kubernetes.Interface, namespace, name string) (*corev1.Pod, error) {
	list, err := client.CoreV1().Pods(namespace).List(ctx,
		metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()})
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
