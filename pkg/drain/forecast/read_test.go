// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func budgetList() *policyv1.PodDisruptionBudgetList {
	return &policyv1.PodDisruptionBudgetList{Items: []policyv1.PodDisruptionBudget{*kubetest.Budget("web", 5, 6, 1)}}
}

func replicaSetList() *appsv1.ReplicaSetList {
	return &appsv1.ReplicaSetList{Items: []appsv1.ReplicaSet{*kubetest.ReplicaSet()}}
}

func deploymentList() *appsv1.DeploymentList { return &appsv1.DeploymentList{} }

func statefulSetList() *appsv1.StatefulSetList { return &appsv1.StatefulSetList{} }

func TestReadingTakesOneListOfEachKindAndNothingElse(t *testing.T) {
	client, asked := kubetest.ServeLists(t, kubetest.Encoders()["protobuf as a stream"], clusterLists())
	input, err := Read(context.Background(), client, drain.Target{Names: []string{"w1"}}, drain.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, one := range *asked {
		path, _, _ := strings.Cut(one, "?")
		if !strings.HasPrefix(one, "GET ") || strings.Contains(one, "watch") || seen[path] {
			t.Errorf("asked for %s", one)
		}
		seen[path] = true
	}
	if len(input.Pods) != 3 || len(input.Nodes) != 1 || input.Paces["uid-ReplicaSet-web-7c"].Pods == 0 {
		t.Errorf("%d pods, %d nodes, paces %v", len(input.Pods), len(input.Nodes), input.Paces)
	}
}

// twoNodeLists is a cluster of two nodes with three pods on each.
func clusterLists() map[string]runtime.Object {
	pods := &corev1.PodList{}
	for i := range 6 {
		pod := kubetest.FullPod(i)
		pod.Spec.NodeName = []string{"w1", "w2"}[i%2]
		pod.Status.Conditions[0].LastTransitionTime = metav1.NewTime(pod.CreationTimestamp.Add(5 * time.Second))
		pods.Items = append(pods.Items, pod)
	}
	return map[string]runtime.Object{
		"pods": pods, "nodes": &corev1.NodeList{Items: []corev1.Node{*kubetest.Node("w1"), *kubetest.Node("w2")}},
		"persistentvolumeclaims": &corev1.PersistentVolumeClaimList{}, "persistentvolumes": &corev1.PersistentVolumeList{},
		"poddisruptionbudgets": budgetList(), "replicasets": replicaSetList(), "deployments": deploymentList(), "statefulsets": statefulSetList(),
	}
}

func TestReadingNotesWhatIsOnlyGoodForAdvice(t *testing.T) {
	objects := clusterLists()
	for _, resource := range []string{"persistentvolumes", "deployments", "replicasets"} {
		delete(objects, resource)
	}
	client, _ := kubetest.ServeLists(t, kubetest.Encoders()["protobuf in one piece"], objects)
	input, err := Read(context.Background(), client, drain.Target{Names: []string{"w1"}}, drain.DefaultOptions())
	if err != nil || len(input.Notes) != 3 {
		t.Errorf("%v, notes %q", err, input.Notes)
	}
	delete(objects, "pods")
	client, _ = kubetest.ServeLists(t, kubetest.Encoders()["protobuf in one piece"], objects)
	if _, err = Read(context.Background(), client, drain.Target{Names: []string{"w1"}},
		drain.DefaultOptions()); plan.ClassOf(err) != plan.Refused {
		t.Errorf("without pods: %v", err)
	}
}
