// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// A drain without a timeout whose surge something else undoes would wait for ever.
func TestADrainWhoseSurgeIsUndoneSaysSoAndEnds(t *testing.T) {
	for name, tc := range map[string]string{
		"scaled back": `{"spec":{"replicas":1}}`,
		"replaced as its source has it, without what the drain has " +
			"noted": `{"metadata":{"labels":null,"annotations":null},"spec":{"replicas":1}}`,
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { endsUndone(t, tc) }) })
	}
}

func endsUndone(t *testing.T, change string) {
	t.Helper()
	one := int32(1)
	budget := kubetest.Budget("web", 1, 1, 0)
	budget.Status.ExpectedPods = 1
	client := kubetest.NewClient(kubetest.Pod("web-1"), kubetest.ReplicaSet(), kubetest.Node("w2"), budget,
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-web"},
			Spec: appsv1.DeploymentSpec{Replicas: &one}, Status: appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1}})
	kubetest.AnswerWith(client, "create", "pods", apierrors.NewTooManyRequests("it would violate the budget", 0))
	time.AfterFunc(time.Minute, func() {
		_, err := client.AppsV1().Deployments("shop").Patch(t.Context(), "web", types.MergePatchType, []byte(change),
			metav1.PatchOptions{})
		if err != nil {
			t.Error(err)
		}
	})
	d := &Drain{Client: client, Nodes: []string{kubetest.TheNode}, Options: drain.DefaultOptions(), Surge: surge.Auto, By: "ann"}
	began := time.Now()
	err := d.evict(t.Context(), func(string, ...any) {})
	if plan.ClassOf(err) != plan.Broken || !strings.Contains(err.Error(), "Deployment shop/web has 1 instead of the 2 replicas") ||
		!strings.Contains(plan.HintOf(err), "--surge=restart") {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
	if took := time.Since(began); took < time.Minute || took > 2*time.Minute {
		t.Errorf("it took %s", took)
	}
	if back := strings.Join(d.Reverted, "\n"); !strings.Contains(change, "metadata") && !strings.Contains(back, "keeps its replicas, 1") {
		t.Errorf("taken back: %q", back)
	}
}
