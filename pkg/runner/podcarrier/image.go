// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// workload names a DaemonSet.
type workload struct{ namespace, name string }

func (w workload) String() string { return w.namespace + "/" + w.name }

// trustedWorkloads are the DaemonSets whose images may run privileged, because
// the owner of the cluster made them: kube-proxy's first, then those of
// networks, which are a last resort. Those in kube-system come before those in
// namespaces of their own, which another user may have made under that name.
func trustedWorkloads() []workload {
	return []workload{
		kubeProxy(),
		{metav1.NamespaceSystem, "cilium"}, {metav1.NamespaceSystem, "calico-node"}, {metav1.NamespaceSystem, "canal"},
		{metav1.NamespaceSystem, "antrea-agent"}, {metav1.NamespaceSystem, "kube-ovn-cni"}, {metav1.NamespaceSystem, "kube-router"},
		{metav1.NamespaceSystem, "weave-net"}, {metav1.NamespaceSystem, "kube-flannel-ds"}, {metav1.NamespaceSystem, "kindnet"},
		{"kube-flannel", "kube-flannel-ds"}, {"calico-system", "calico-node"}, {"cilium", "cilium"},
	}
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

// pick returns the image for the privileged pod: the one that was named,
// or one that the owner of the cluster has running on the node. It refuses a
// node without such an image.
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
			return choice{}, plan.Refuse(fmt.Errorf("whose the images on node %s are cannot be read: %w", node.Name, err),
				"ask for the right to get daemonsets in %s, or name an image that is on the node and that you trust: --runner-image IMAGE", w.namespace)
		case err != nil:
			return choice{}, fmt.Errorf("get daemonset %s: %w", w, err)
		}
		live[w] = set
	}
	picked, found := chooseImage(node, pods, live)
	if !found {
		return choice{}, plan.Refuse(fmt.Errorf("no image on node %s is surely of the cluster's owner: no static pod, no kube-proxy and no "+
			"agent of a known network runs there with an image that needs no pull secret", node.Name),
			"name one that is on the node and that you trust, for it runs privileged: --runner-image IMAGE (on the node: crictl images)")
	}
	return picked, nil
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
	return err == nil && space.Labels[EnforceLabel] == "privileged"
}

// chooseImage picks an image that runs on the node and that the owner of the
// cluster put there; never one by the name of its container, which its author
// chose. In this order: kube-proxy's DaemonSet, static pods of kube-system,
// DaemonSets of networks. Node.status.images says of no image whose it is, and
// is not asked. It is pure; live are the DaemonSets that exist.
func chooseImage(node *corev1.Node, pods []corev1.Pod, live map[workload]*appsv1.DaemonSet) (choice, bool) {
	usable := slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return needsSecret(node, &p) })
	slices.SortFunc(usable, func(a, b corev1.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	fromSet := func(w workload) (choice, bool) {
		set := live[w]
		if set == nil {
			return choice{}, false
		}
		for _, pod := range usable {
			if !claims(&pod, w) || metav1.GetControllerOf(&pod).UID != set.UID {
				continue
			}
			// A container that a webhook put in is not in the template.
			for _, container := range set.Spec.Template.Spec.Containers {
				if image, name := runningImage(&pod, container.Name); image != "" {
					return choice{image, name + " of daemonset " + w.String()}, true
				}
			}
		}
		return choice{}, false
	}
	if picked, found := fromSet(kubeProxy()); found {
		return picked, true
	}
	for _, pod := range usable {
		if !isStatic(node, &pod) {
			continue
		}
		for _, container := range pod.Spec.Containers {
			if image, name := runningImage(&pod, container.Name); image != "" {
				return choice{image, name + " of static pod " + pod.Namespace + "/" + pod.Name}, true
			}
		}
	}
	for _, w := range trustedWorkloads()[1:] {
		if picked, found := fromSet(w); found {
			picked.of += ", the network's: neither kube-proxy nor a static pod runs there"
			return picked, true
		}
	}
	return choice{}, false
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

// runningImage is the reference of the image that a container of the pod runs
// right now, and the name that its spec has for it; empty if it does not run.
func runningImage(pod *corev1.Pod, container string) (image, name string) {
	for _, c := range pod.Spec.Containers {
		if c.Name == container {
			name = c.Image
		}
	}
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == container && s.State.Running != nil && name != "" {
			return reference(name, s.ImageID), name
		}
	}
	return "", ""
}

// reference is how a container's image is named for another pod: by content where
// the runtime has a name for that (tried with containerd 2.2 and the pull policy
// Never), because a tag may mean another image at the next pull. An image that was
// pulled has the name of its digest, one that was imported only an ID. The repository
// must be that of the spec: the kubelet remembers by it who may use an image, and one
// image may have been pulled under several.
//
//	registry.k8s.io/kube-proxy:v1.36.3, registry.k8s.io/kube-proxy@sha256:…  →  the latter
//	registry.k8s.io/kube-proxy:v1.36.3, sha256:…                            →  the latter
//	registry.k8s.io/kube-proxy:v1.36.3, example.com/proxy@sha256:…          →  the former
func reference(image, id string) string {
	if isDigest(id) {
		return id
	}
	repository, digest, byDigest := strings.Cut(id, "@")
	repository = strings.TrimPrefix(repository, "docker-pullable://")
	if !byDigest || !isDigest(digest) || repository != repositoryOf(image) {
		return image
	}
	return repository + "@" + digest
}

// repositoryOf is an image's name without its tag and digest.
func repositoryOf(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

func isDigest(s string) bool {
	hex, is := strings.CutPrefix(s, "sha256:")
	return is && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// EnforceLabel is the level of the Pod Security Standards that a namespace enforces;
// only administrators set it.
const EnforceLabel = "pod-security.kubernetes.io/enforce"
