// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"fmt"
	"sync"
	"testing"
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

const theNode = "w1"

// podOption changes a pod that would otherwise be an ordinary one of a
// ReplicaSet, Running and Ready.
type podOption func(*corev1.Pod)

func makePod(name string, options ...podOption) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID("uid-" + name), ResourceVersion: "1",
			Labels: map[string]string{"app": "web"},
		},
		Spec:   corev1.PodSpec{NodeName: theNode},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	controlledBy("apps/v1", "ReplicaSet", "web-7c")(pod)
	for _, option := range options {
		option(pod)
	}
	return pod
}

func controlledBy(apiVersion, kind, name string) podOption {
	return func(pod *corev1.Pod) {
		yes := true
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID("uid-" + kind + "-" + name), Controller: &yes}}
	}
}

func uncontrolled(pod *corev1.Pod) { pod.OwnerReferences = nil }

func ofDaemonSet(pod *corev1.Pod) { controlledBy("apps/v1", "DaemonSet", "agent")(pod) }

func ofMissingDaemonSet(pod *corev1.Pod) { controlledBy("apps/v1", "DaemonSet", "vanished")(pod) }

func mirrored(pod *corev1.Pod) {
	pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "hash"}
}

func withEmptyDir(pod *corev1.Pod) {
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
}

func inPhase(phase corev1.PodPhase) podOption {
	return func(pod *corev1.Pod) { pod.Status.Phase = phase }
}

func unready(pod *corev1.Pod) {
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
}

func labelled(key, value string) podOption {
	return func(pod *corev1.Pod) { pod.Labels[key] = value }
}

func inNamespace(namespace string) podOption {
	return func(pod *corev1.Pod) { pod.Namespace = namespace }
}

func onNode(node string) podOption {
	return func(pod *corev1.Pod) { pod.Spec.NodeName = node }
}

// deletedAt sets the end of the grace period.
func deletedAt(t time.Time, grace int64) podOption {
	return func(pod *corev1.Pod) {
		at := metav1.NewTime(t)
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &grace
	}
}

func makeNode(name string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name)},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
	}
}

// cordoned is a node as a drain finds it.
func cordoned(node *corev1.Node) *corev1.Node {
	node.Spec.Unschedulable = true
	return node
}

func makeDaemonSet() *appsv1.DaemonSet {
	return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "agent"}}
}

func makeReplicaSet() *appsv1.ReplicaSet {
	yes := true
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web-7c", UID: "uid-ReplicaSet-web-7c",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web", Controller: &yes}},
	}}
}

// makeBudget matches app=web, with minAvailable, healthy pods and what may go.
func makeBudget(name string, needed, healthy, allowed int32) *policyv1.PodDisruptionBudget {
	minAvailable := intstr.FromInt32(needed)
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-pdb-" + name), ResourceVersion: "1"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: &minAvailable,
			Selector:     &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		},
		Status: policyv1.PodDisruptionBudgetStatus{DesiredHealthy: needed, CurrentHealthy: healthy, DisruptionsAllowed: allowed, ExpectedPods: needed + 1},
	}
}

// says collects what is reported.
type says struct {
	mu    sync.Mutex
	lines []string
}

func (s *says) report(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *says) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

// decideOn surveys and decides, failing the test on an error.
func decideOn(t *testing.T, client *fake.Clientset, o Options) Decision {
	t.Helper()
	s, err := Survey(context.Background(), client, Target{Names: []string{theNode}}, o)
	if err != nil {
		t.Fatalf("survey: %v", err)
	}
	return Decide(s, o)
}

func newClient(objects ...runtime.Object) *fake.Clientset {
	return fake.NewClientset(append(objects, cordoned(makeNode(theNode)))...)
}
