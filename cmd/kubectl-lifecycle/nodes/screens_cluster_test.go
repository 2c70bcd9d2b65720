// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/screentest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
)

// change is made of a cluster before it is shown.
type change func(t *testing.T, client *fake.Clientset)

// shop is a cluster of a control plane and three workers. On worker-3 run a pod of web (two
// replicas), one of the three of a database behind a budget, and one of a DaemonSet.
func shop(changes ...change) func(*testing.T, *env.Env) {
	return screentest.On(func(t *testing.T) kubernetes.Interface {
		t.Helper()
		objects := append(screentest.Kubeadm(), shopObjects()...)
		for _, name := range []string{"cp-1", "worker-1", "worker-2", "worker-3"} {
			objects = append(objects, screentest.Node(name))
		}
		client := flowtest.Permissive(t, nil, objects...)
		evictable(client)
		screentest.Reviewed(client)
		for _, c := range changes {
			c(t, client)
		}
		return client
	})
}

func shopObjects() []runtime.Object {
	two, three, needed := int32(2), int32(3), intstr.FromInt32(2)
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name)}
	}
	set := &appsv1.ReplicaSet{ObjectMeta: meta("shop", "web-7d4b9c6f5d"), Spec: appsv1.ReplicaSetSpec{Replicas: &two}}
	set.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web",
		Controller: new(true)}}
	return []runtime.Object{
		&appsv1.Deployment{ObjectMeta: meta("shop", "web"), Spec: appsv1.DeploymentSpec{Replicas: &two}}, set,
		&appsv1.StatefulSet{ObjectMeta: meta("shop", "db"), Spec: appsv1.StatefulSetSpec{Replicas: &three}},
		&appsv1.DaemonSet{ObjectMeta: meta("kube-system", "kube-proxy")},
		&policyv1.PodDisruptionBudget{ObjectMeta: meta("shop", "db-pdb"),
			Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &needed,
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}},
			Status: policyv1.PodDisruptionBudgetStatus{DesiredHealthy: 2, CurrentHealthy: 3, DisruptionsAllowed: 1, ExpectedPods: 3}},
		shopPod("web-7d4b9c6f5d-4xkzq", "ReplicaSet/web-7d4b9c6f5d", "worker-3"),
		shopPod("web-7d4b9c6f5d-9m2vt", "ReplicaSet/web-7d4b9c6f5d", "worker-1"),
		shopPod("db-0", "StatefulSet/db", "worker-1"), shopPod("db-1", "StatefulSet/db", "worker-3"),
		shopPod("db-2", "StatefulSet/db", "worker-2"),
		inSystem(shopPod("kube-proxy-x7k2p", "DaemonSet/kube-proxy", "worker-3")),
	}
}

// shopPod is a pod of a controller ("Kind/name", or none) on a node.
func shopPod(name, controller, node string) *corev1.Pod {
	app, _, _ := strings.Cut(name, "-")
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name),
		Labels: map[string]string{"app": app}, CreationTimestamp: metav1.NewTime(screentest.Now().Add(-time.Hour))},
		Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if kind, owner, is := strings.Cut(controller, "/"); is {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner, UID: types.UID("uid-" + owner),
			Controller: new(true)}}
	}
	return p
}

func inSystem(p *corev1.Pod) *corev1.Pod {
	p.Namespace = metav1.NamespaceSystem
	return p
}

// stopsIn is how long a pod takes to stop: no two the same.
func stopsIn(name string) time.Duration {
	seconds := map[string]time.Duration{"web-7d4b9c6f5d-9m2vt": 3, "web-7d4b9c6f5d-4xkzq": 4, "db-0": 9, "db-1": 11}
	return max(seconds[name], 2) * time.Second
}

// evictable has pods leave by evictions, as the database's budget allows.
func evictable(client *fake.Clientset) {
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	client.PrependReactor("create", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		e, is := a.(clienttesting.CreateAction).GetObject().(*policyv1.Eviction)
		if !is {
			return false, nil, nil
		}
		if strings.HasPrefix(e.Name, "db-") && allowed(client) == 0 {
			err := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
			err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: policyv1.DisruptionBudgetCause,
				Message: "The disruption budget db-pdb needs 2 healthy pods and has 2 currently"}}
			return true, nil, err
		}
		if e.DeleteOptions != nil && len(e.DeleteOptions.DryRun) > 0 {
			return true, nil, nil
		}
		go func() {
			database := strings.HasPrefix(e.Name, "db-")
			time.Sleep(stopsIn(e.Name) - time.Second)
			if database { // it is not Ready any more, until its successor is
				_ = allow(client, 0)
			}
			time.Sleep(time.Second)
			_ = client.Tracker().Delete(pods, e.Namespace, e.Name)
			time.Sleep(6 * time.Second)
			if database {
				_ = allow(client, 1)
			}
		}()
		return true, nil, nil
	})
}

// budgets is the resource of the database's.
func budgets() schema.GroupVersionResource {
	return policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets")
}

// allowed is how many pods the database's budget lets go.
func allowed(client *fake.Clientset) int32 {
	found, err := client.Tracker().Get(budgets(), "shop", "db-pdb")
	if err != nil {
		return 0
	}
	return found.(*policyv1.PodDisruptionBudget).Status.DisruptionsAllowed
}

// allow says how many pods the database's budget lets go.
func allow(client *fake.Clientset, n int32) error {
	found, err := client.Tracker().Get(budgets(), "shop", "db-pdb")
	if err != nil {
		return err
	}
	b := found.(*policyv1.PodDisruptionBudget).DeepCopy()
	b.Status.DisruptionsAllowed, b.Status.CurrentHealthy = n, 2+n
	return client.Tracker().Update(budgets(), b, "shop")
}

// closed closes the database's budget, for some time; zero is for ever.
func closed(opens time.Duration) change {
	return func(t *testing.T, client *fake.Clientset) {
		t.Helper()
		if err := allow(client, 0); err != nil {
			t.Fatal(err)
		}
		if opens > 0 {
			go func() {
				time.Sleep(opens)
				_ = allow(client, 1)
			}()
		}
	}
}

// and adds objects.
func and(objects ...runtime.Object) change {
	return func(t *testing.T, client *fake.Clientset) {
		t.Helper()
		for _, o := range objects {
			if err := client.Tracker().Add(o.DeepCopyObject()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// instead changes a node.
func instead(name string, to func(*corev1.Node)) change {
	return func(t *testing.T, client *fake.Clientset) {
		t.Helper()
		nodes := corev1.SchemeGroupVersion.WithResource("nodes")
		found, err := client.Tracker().Get(nodes, "", name)
		if err != nil {
			t.Fatal(err)
		}
		n := found.(*corev1.Node).DeepCopy()
		to(n)
		if err := client.Tracker().Update(nodes, n, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// without takes something away.
func without(resource, namespace, name string) change {
	return func(t *testing.T, client *fake.Clientset) {
		t.Helper()
		if err := client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource(resource), namespace, name); err != nil {
			t.Fatal(err)
		}
	}
}
