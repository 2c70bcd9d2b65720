// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// gitea is a Deployment of one replica, made by Helm, behind a budget that never
// lets it go, and a database of three behind one that lets one go at a time; two
// of the database's pods are on the node.
func gitea() []runtime.Object {
	began := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	yes, one, three := true, int32(1), int32(3)
	helm := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID("uid-" + name),
			Labels:      map[string]string{"app.kubernetes.io/managed-by": "Helm"},
			Annotations: map[string]string{"meta.helm.sh/release-name": "gitea", "meta.helm.sh/release-namespace": "shop"},
		}
	}
	pod := func(name, app, kind, owner, node string) *corev1.Pod {
		p := drainPod(name, kind)
		p.OwnerReferences[0].Name, p.OwnerReferences[0].UID = owner, types.UID("uid-"+owner)
		p.Labels, p.Spec.NodeName, p.CreationTimestamp = map[string]string{"app": app}, node, began
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue,
			LastTransitionTime: metav1.NewTime(began.Add(20 * time.Second))}}
		return p
	}
	budget := func(name, app string, needed, allowed, expected int32) *policyv1.PodDisruptionBudget {
		number := intstr.FromInt32(needed)
		return &policyv1.PodDisruptionBudget{
			ObjectMeta: helm(name),
			Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &number,
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
			Status: policyv1.PodDisruptionBudgetStatus{DesiredHealthy: needed, CurrentHealthy: expected, DisruptionsAllowed: allowed,
				ExpectedPods: expected},
		}
	}
	rs := &appsv1.ReplicaSet{ObjectMeta: helm("gitea-7c"), Spec: appsv1.ReplicaSetSpec{Replicas: &one}}
	rs.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "gitea", UID: "uid-gitea",
		Controller: &yes}}
	return []runtime.Object{
		rs, &appsv1.Deployment{ObjectMeta: helm("gitea"), Spec: appsv1.DeploymentSpec{Replicas: &one},
			Status: appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1}},
		&appsv1.StatefulSet{ObjectMeta: helm("db"), Spec: appsv1.StatefulSetSpec{Replicas: &three}},
		pod("gitea-7c-x", "gitea", "ReplicaSet", "gitea-7c", "w1"),
		pod("db-0", "db", "StatefulSet", "db", "w1"), pod("db-1", "db", "StatefulSet", "db", "w1"), pod("db-2", "db", "StatefulSet", "db", "w2"),
		budget("gitea-pdb", "gitea", 1, 0, 1), budget("db-pdb", "db", 2, 1, 3),
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w2", UID: "uid-w2"},
			Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("110")},
				Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}},
	}
}

func TestAPlanNamesWhatKeepsAPodAndWhatUnblocksIt(t *testing.T) {
	b := newDrainBed(gitea()...)
	err := b.run(t, newDrainCommand, "w1", "--ignore-daemonsets", "--order", "app=db,app=web", "--plan")
	if plan.ClassOf(err) != plan.Found || len(b.changes()) != 0 {
		t.Errorf("got %v of class %d, changes %v", err, plan.ClassOf(err), b.changes())
	}
	text := b.out.String()
	for _, want := range []string{
		"w1 (Ready): 3 pods leave, of which 1 would be kept; 0 stay",
		"  1  1 pod: shop/db-0", "spends 1 of shop/db-pdb", "  2  1 pod: shop/db-1",
		"shop/gitea-7c-x of ReplicaSet/gitea-7c → Deployment/gitea",
		"permanent: minAvailable 1 of 1 pods never lets one go",
		"\n      helm -n shop get values gitea --all\n",
		"\n      kubectl lifecycle drain w1 --ignore-daemonsets --order app=db,app=web --surge=auto\n",
		"\n      kubectl -n shop scale deployment/gitea --replicas=2\n",
		`kubectl -n shop patch pdb gitea-pdb --type=merge -p '{"spec":{"minAvailable":0}}'`,
		"at least 20s, up to 1m20s", "\n  kubectl lifecycle drain w1 --ignore-daemonsets --order app=db,app=web\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if len([]rune(line)) > 80 && !strings.Contains(line, "kubectl") {
			t.Errorf("too wide: %q", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestAPlanIsReadByMachines(t *testing.T) {
	for format, want := range map[string]string{
		"json": `"class": "permanent"`, "yaml": "class: " +
			"permanent", "name": "pod/db-0\npod/db-1\n", "jsonpath={.blockers[0].remedies[0].command}": "kubectl lifecycle drain w1 --surge=auto\n",
	} {
		b := newDrainBed(gitea()...)
		err := b.run(t, newDrainCommand, "w1", "--plan", "-o", format)
		if plan.ClassOf(err) != plan.Found || !strings.Contains(b.out.String(), want) {
			t.Errorf("-o %s: %v, stdout %s", format, err, b.out)
		}
		if format == "json" && !json.Valid(b.out.Bytes()) {
			t.Errorf("no JSON: %s", b.out)
		}
	}
	b := newDrainBed()
	if err := b.run(t, newDrainCommand, "w1", "--plan", "-o", "jsonl"); plan.ClassOf(err) != plan.Misused {
		t.Errorf("-o jsonl: %v", err)
	}
}

func TestAPlanOnlyReadsOneListOfEachKind(t *testing.T) {
	b := newDrainBed(gitea()...)
	_ = b.run(t, newDrainCommand, "w1", "--plan")
	lists := map[string]int{}
	var one []string // what is asked for of the one Deployment that a surge may help
	for _, action := range b.Actions() {
		if verb := action.GetVerb(); verb != "list" {
			one = append(one, verb+" "+action.GetResource().Resource)
			continue
		}
		lists[action.GetResource().Resource]++
	}
	if !slices.Equal(one, []string{"get deployments"}) {
		t.Errorf("beside the lists: %v", one)
	}
	for resource, n := range lists {
		if n != 1 {
			t.Errorf("%d lists of %s", n, resource)
		}
	}
	if len(lists) != 10 {
		t.Errorf("lists of %v", lists)
	}
}

func TestAPlanOfADrainThatEnds(t *testing.T) {
	b := newDrainBed(drainPod("a", "ReplicaSet"))
	if err := b.run(t, newDrainCommand, "w1", "--plan"); err != nil || strings.Contains(b.out.String(), "KEPT") {
		t.Errorf("got %v, stdout %s", err, b.out)
	}
	if err := b.run(t, newDrainCommand, "w9", "--plan"); plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
		t.Errorf("a node that is not there: %v", err)
	}
}

func TestAPlanOfARefusedDrainSaysWhichFlagIsMissing(t *testing.T) {
	b := newDrainBed(append(gitea(), drainPod("naked", ""))...)
	err := b.run(t, newDrainCommand, "w1", "--plan")
	if plan.ClassOf(err) != plan.Refused || plan.HintOf(err) != "if that is meant, add --force" ||
		!strings.Contains(b.out.String(), "shop/naked: declares no controller") {
		t.Errorf("got %v of class %d, hint %q, stdout %s", err, plan.ClassOf(err), plan.HintOf(err), b.out)
	}
}
