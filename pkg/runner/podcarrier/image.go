// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// imageTimeout bounds the wait for the image of a pod that is starting. A kubelet has
// started its pods again within seconds.
const imageTimeout = 30 * time.Second

// workload names a DaemonSet.
type workload struct{ namespace, name string }

func (w workload) String() string { return w.namespace + "/" + w.name }

// trustedWorkloads are the DaemonSets whose images may run privileged, because
// the owner of the cluster made them: kube-proxy's first, then those of
// networks, which are a last resort. Those in kube-system come before those in
// namespaces of their own, which another user may have made under that name.
func trustedWorkloads() []workload {
	out := []workload{kubeProxy()}
	for _, n := range networks.Known() {
		out = append(out, workload{metav1.NamespaceSystem, n.DaemonSet})
	}
	for _, n := range networks.Known() {
		for _, namespace := range n.Namespaces {
			out = append(out, workload{namespace, n.DaemonSet})
		}
	}
	return out
}

func kubeProxy() workload { return workload{metav1.NamespaceSystem, "kube-proxy"} }

// choice is an image and whose it is, for a person.
type choice struct{ image, of string }

// images chooses among the images of a node.
type images struct {
	client kubernetes.Interface
	// named is what a person has chosen; empty for none.
	named string
}

// errStarting is wrapped by the refusal of a node on which a trusted pod is about to
// run, and its image is not known yet: the kubelet has just started, or has just
// started it again.
var errStarting = errors.New("not known yet")

// await is pick; where an image is about to be known it waits for that.
func (c images) await(ctx context.Context, node *corev1.Node, pods []corev1.Pod, report plan.Report) (choice, error) {
	picked, err := c.pick(ctx, node, pods)
	if !errors.Is(err, errStarting) {
		return picked, err
	}
	report("waiting for an image that may run privileged: %v", err)
	_ = wait.PollUntilContextTimeout(ctx, time.Second, imageTimeout, false, func(ctx context.Context) (bool, error) {
		var list *corev1.PodList
		if list, err = podsOn(ctx, c.client, node.Name); err == nil {
			picked, err = c.pick(ctx, node, list.Items)
		}
		return !errors.Is(err, errStarting), nil
	})
	return picked, err
}

// podsOn lists the pods of a node.
func podsOn(ctx context.Context, client kubernetes.Interface, node string) (*corev1.PodList, error) {
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		return nil, fmt.Errorf("list pods on node %s: %w", node, err)
	}
	return pods, nil
}

// pick returns the image for the privileged pod: the one that was named,
// or one that the owner of the cluster has running on the node. It refuses a
// node without such an image; with errStarting, where one is about to be known.
func (c images) pick(ctx context.Context, node *corev1.Node, pods []corev1.Pod) (choice, error) {
	if c.named != "" {
		return choice{image: c.named, of: "named by --runner-image"}, nil
	}
	live := map[workload]*appsv1.DaemonSet{}
	for _, w := range trustedWorkloads() {
		if !slices.ContainsFunc(pods, func(p corev1.Pod) bool { return claims(&p, w) }) {
			continue
		}
		set, err := c.client.AppsV1().DaemonSets(w.namespace).Get(ctx, w.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && !c.administers(ctx, w.namespace):
			continue
		case apierrors.IsForbidden(err):
			return choice{}, plan.Refuse(fmt.Errorf("cannot read which workloads the images on node %s belong to: %w", node.Name, err),
				"ask for the right to get daemonsets in %s, or name an image that is on the node and that you trust: --runner-image IMAGE", w.namespace)
		case err != nil:
			return choice{}, fmt.Errorf("get daemonset %s: %w", w, err)
		}
		live[w] = set
	}
	trusted := trustedContainers(node, pods, live)
	if picked, found := chooseImage(trusted); found {
		return picked, nil
	}
	const nameOne = "name one that is on the node and that you trust, for it runs privileged: --runner-image IMAGE " +
		"(on the node: crictl images)"
	if pod := startingPod(trusted); pod != nil {
		return choice{}, plan.Refuse(fmt.Errorf("the image of pod %s/%s on node %s is %w: its containers have not started",
			pod.Namespace, pod.Name, node.Name, errStarting), nameOne)
	}
	return choice{}, plan.Refuse(fmt.Errorf("no image on node %s is surely of the cluster's owner: no static pod, no kube-proxy and no "+
		"agent of a known network runs there with an image that needs no pull secret", node.Name), nameOne)
}

// administers reports whether a namespace is one in which a user who may create pods is
// root on every node by that alone: kube-system, or one that enforces no Pod Security
// Standard by a label that only administrators set. In one that merely has a network's
// name, a tenant could offer any image. One that cannot be read is none.
func (c images) administers(ctx context.Context, namespace string) bool {
	if namespace == metav1.NamespaceSystem {
		return true
	}
	space, err := c.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	return err == nil && space.Labels[kube.EnforceLabel] == kube.EnforcePrivileged
}

// container is one of a pod that the owner of the cluster put on the node, and what
// else is to be said of it.
type container struct {
	pod      *corev1.Pod
	name     string
	of, note string
}

// trustedContainers are those whose image may run privileged, because the owner of the
// cluster put them on the node; never by the name of the container, which its author
// chose. In this order: kube-proxy's DaemonSet, static pods of kube-system, DaemonSets
// of networks. Node.status.images says of no image whose it is, and is not asked. It
// is pure; live are the DaemonSets that exist.
func trustedContainers(node *corev1.Node, pods []corev1.Pod, live map[workload]*appsv1.DaemonSet) []container {
	usable := slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return needsSecret(node, &p) })
	slices.SortFunc(usable, func(a, b corev1.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	var trusted []container
	fromSet := func(w workload, note string) {
		set := live[w]
		if set == nil {
			return
		}
		for i := range usable {
			if pod := &usable[i]; claims(pod, w) && metav1.GetControllerOf(pod).UID == set.UID {
				// A container that a webhook put in is not in the template.
				for _, c := range set.Spec.Template.Spec.Containers {
					trusted = append(trusted, container{pod, c.Name, "daemonset " + w.String(), note})
				}
			}
		}
	}
	fromSet(kubeProxy(), "")
	for i := range usable {
		if pod := &usable[i]; isStatic(node, pod) {
			for _, c := range pod.Spec.Containers {
				trusted = append(trusted, container{pod, c.Name, "static pod " + pod.Namespace + "/" + pod.Name, ""})
			}
		}
	}
	for _, w := range trustedWorkloads()[1:] {
		fromSet(w, ", the network's: neither kube-proxy nor a static pod runs there")
	}
	return trusted
}

// chooseImage picks the image of the first container whose image is on the node.
func chooseImage(trusted []container) (choice, bool) {
	for _, c := range trusted {
		if image, name := presentImage(c.pod, c.name); image != "" {
			return choice{image, name + " of " + c.of + c.note}, true
		}
	}
	return choice{}, false
}

// startingPod is the first pod whose container is about to start; nil if there is none.
// One whose image cannot be pulled, and one that goes, is not.
func startingPod(trusted []container) *corev1.Pod {
	for _, c := range trusted {
		over := c.pod.Status.Phase == corev1.PodSucceeded || c.pod.Status.Phase == corev1.PodFailed
		if over || c.pod.DeletionTimestamp != nil {
			continue
		}
		at := slices.IndexFunc(c.pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == c.name })
		if at < 0 {
			return c.pod
		}
		// The words of the kubelet for a container that it has not come to yet.
		state := cmp.Or(c.pod.Status.ContainerStatuses[at].State.Waiting, &corev1.ContainerStateWaiting{})
		if slices.Contains([]string{"", "ContainerCreating", "PodInitializing"}, state.Reason) {
			return c.pod
		}
	}
	return nil
}

// claims reports whether a pod says that a DaemonSet controls it. Outside of
// kube-system it must be in the host's network, too, as a network's agent is: the
// pods of tenants may not (Pod Security Standards, baseline).
func claims(pod *corev1.Pod, w workload) bool {
	ref := metav1.GetControllerOf(pod)
	return ref != nil && pod.Namespace == w.namespace && ref.APIVersion == appsv1.SchemeGroupVersion.String() && ref.Kind == "DaemonSet" &&
		ref.Name == w.name &&
		(pod.Namespace == metav1.NamespaceSystem || pod.Spec.HostNetwork)
}

// isStatic reports whether a pod is the mirror of one whose manifest lies on the
// host. The annotation alone proves nothing: every user who may create pods may set
// it. So it must be in kube-system, where such a user is root on every
// node anyway, and its controller must be this very Node: a kubelet can create
// mirror pods of its own Node only (admission plugin NodeRestriction).
func isStatic(node *corev1.Node, pod *corev1.Pod) bool {
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	ref := metav1.GetControllerOf(pod)
	return mirror && pod.Namespace == metav1.NamespaceSystem && ref != nil &&
		ref.APIVersion == "v1" && ref.Kind == "Node" && ref.Name == node.Name && ref.UID == node.UID
}

// needsSecret reports whether a kubelet refuses the pod's images to pods that do
// not have its pull secrets: KubeletEnsureSecretPulledImages, on by default since
// Kubernetes 1.35. Secrets of the pod's ServiceAccount are in its spec, too.
func needsSecret(node *corev1.Node, pod *corev1.Pod) bool {
	if len(pod.Spec.ImagePullSecrets) == 0 {
		return false
	}
	kubelet, err := utilversion.ParseSemantic(node.Status.NodeInfo.KubeletVersion)
	return err != nil || kubelet.Major() > 1 || kubelet.Minor() >= 35
}
