// SPDX-License-Identifier: Apache-2.0

package kubetest

import (
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/fake"
)

// TheNode is the node of pods that are not said to be on another.
const TheNode = "w1"

// PodOption changes a pod that would otherwise be an ordinary one of a
// ReplicaSet, Running and Ready.
type PodOption func(*corev1.Pod)

// Pod is a pod of ReplicaSet web-7c on TheNode, Running and Ready, changed by the options.
func Pod(name string, options ...PodOption) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID("uid-" + name), ResourceVersion: "1",
			Labels: map[string]string{"app": "web"},
		},
		Spec: corev1.PodSpec{NodeName: TheNode},
		Status: corev1.PodStatus{Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	ControlledBy("apps/v1", "ReplicaSet", "web-7c")(pod)
	for _, option := range options {
		option(pod)
	}
	return pod
}

// ControlledBy gives the pod a controller.
func ControlledBy(apiVersion, kind, name string) PodOption {
	return func(pod *corev1.Pod) {
		yes := true
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID("uid-" + kind + "-" + name),
			Controller: &yes}}
	}
}

// Uncontrolled takes the controller away.
func Uncontrolled(pod *corev1.Pod) { pod.OwnerReferences = nil }

// OfDaemonSet makes it a pod of DaemonSet agent.
func OfDaemonSet(pod *corev1.Pod) { ControlledBy("apps/v1", "DaemonSet", "agent")(pod) }

// OfMissingDaemonSet makes it a pod of a DaemonSet that does not exist.
func OfMissingDaemonSet(pod *corev1.Pod) { ControlledBy("apps/v1", "DaemonSet", "vanished")(pod) }

// Mirrored makes it a mirror pod.
func Mirrored(pod *corev1.Pod) {
	pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "hash"}
}

// WithEmptyDir gives the pod local data.
func WithEmptyDir(pod *corev1.Pod) {
	pod.Spec.Volumes = append(pod.Spec.Volumes,
		corev1.Volume{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
}

// InPhase sets the phase.
func InPhase(phase corev1.PodPhase) PodOption {
	return func(pod *corev1.Pod) { pod.Status.Phase = phase }
}

// Unready makes the pod not Ready.
func Unready(pod *corev1.Pod) {
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
}

// Labelled sets a label.
func Labelled(key, value string) PodOption {
	return func(pod *corev1.Pod) { pod.Labels[key] = value }
}

// InNamespace sets the namespace.
func InNamespace(namespace string) PodOption {
	return func(pod *corev1.Pod) { pod.Namespace = namespace }
}

// OnNode binds the pod to a node.
func OnNode(node string) PodOption {
	return func(pod *corev1.Pod) { pod.Spec.NodeName = node }
}

// DeletedAt sets the end of the grace period.
func DeletedAt(t time.Time, grace int64) PodOption {
	return func(pod *corev1.Pod) {
		at := metav1.NewTime(t)
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &grace
	}
}

// Node is a node that is Ready.
func Node(name string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name)},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
	}
}

// Cordoned is a node as a drain finds it.
func Cordoned(node *corev1.Node) *corev1.Node {
	node.Spec.Unschedulable = true
	return node
}

// DaemonSet is shop/agent.
func DaemonSet() *appsv1.DaemonSet {
	return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "agent"}}
}

// ReplicaSet is shop/web-7c, of Deployment web.
func ReplicaSet() *appsv1.ReplicaSet {
	yes := true
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web-7c", UID: "uid-ReplicaSet-web-7c",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web", Controller: &yes}},
	}}
}

// Budget matches app=web, with minAvailable, healthy pods and what may go.
func Budget(name string, needed, healthy, allowed int32) *policyv1.PodDisruptionBudget {
	minAvailable := intstr.FromInt32(needed)
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-pdb-" + name), ResourceVersion: "1"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: &minAvailable,
			Selector:     &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		},
		Status: policyv1.PodDisruptionBudgetStatus{DesiredHealthy: needed, CurrentHealthy: healthy, DisruptionsAllowed: allowed,
			ExpectedPods: needed + 1},
	}
}

// Says collects what is reported.
type Says struct {
	mu    sync.Mutex
	lines []string
}

// Report is a plan.Report.
func (s *Says) Report(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// All is what was reported so far.
func (s *Says) All() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

// NewClient is a fake client with the objects, and TheNode cordoned.
func NewClient(objects ...runtime.Object) *fake.Clientset {
	return fake.NewClientset(append(objects, Cordoned(Node(TheNode)))...)
}

// Using makes the pod use a claim.
func Using(claim string) PodOption {
	return func(pod *corev1.Pod) {
		source := corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: claim, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &source}})
	}
}

// AsRunner makes a pod one of a run.
func AsRunner(pod *corev1.Pod) {
	yes := true
	Uncontrolled(pod)
	pod.Namespace, pod.Labels["lifecycle.kubectl.io/runner"], pod.Spec.HostPID = "kube-system", "remove", true
	pod.Spec.Containers = []corev1.Container{{Name: "door", SecurityContext: &corev1.SecurityContext{Privileged: &yes}}}
}

// Unprivileged takes away what AsRunner has beyond other pods.
func Unprivileged(pod *corev1.Pod) { pod.Spec.Containers[0].SecurityContext = nil }

// WithTolerations sets the tolerations.
func WithTolerations(all ...corev1.Toleration) PodOption {
	return func(pod *corev1.Pod) { pod.Spec.Tolerations = all }
}

// Claiming makes a pod use a claim.
func Claiming(pod *corev1.Pod, claim string) *corev1.Pod {
	Using(claim)(pod)
	return pod
}
