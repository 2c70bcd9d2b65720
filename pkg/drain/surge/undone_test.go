// SPDX-License-Identifier: Apache-2.0

package surge

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// writes is what the API server notes of who has set a field.
func writes(manager, subresource, fields string, at int64) metav1.ManagedFieldsEntry {
	when := metav1.NewTime(time.Unix(at, 0))
	return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, Time: &when, FieldsV1: metav1.NewFieldsV1(fields)}
}

// Members of one kind: who has undone it, and how.
func TestASurgeThatSomethingElseUndoesIsNamedWithWhoDidIt(t *testing.T) {
	began := time.Unix(1000, 0).UTC()
	scaled := func(by, subresource string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			*d.Spec.Replicas = 2
			d.ManagedFields = []metav1.ManagedFieldsEntry{writes("kubectl-lifecycle", "", `{"f:spec":{"f:replicas":{}}}`, 1000),
				writes(by, subresource, `{"f:spec":{"f:replicas":{}}}`, 1001), writes("kubelet", "status", `{"f:status":{"f:replicas":{}}}`, 1002)}
		}
	}
	both := func(all ...func(*appsv1.Deployment)) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			for _, one := range all {
				one(d)
			}
		}
	}
	stamped := func(at time.Time) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			d.Spec.Template.Annotations = map[string]string{restartedAt: at.Format(time.RFC3339)}
		}
	}
	for name, tc := range map[string]struct {
		mode     Mode
		change   func(*appsv1.Deployment)
		why, way string
	}{
		"it is as it was made":  {Auto, nil, "", ""},
		"it has more than that": {Auto, func(d *appsv1.Deployment) { *d.Spec.Replicas = 9 }, "", ""},
		"a person scales it back": {Auto, scaled("kubectl", "scale"),
			"has 2 instead of the 3 replicas that the surge gave it (set by kubectl, scaling), so the budget shop/web stays closed",
			"find out who wants that"},
		"a person applies it again": {Auto, scaled("kubectl-client-side-apply", ""), "(set by kubectl-client-side-apply)", "--surge=restart"},
		"an autoscaler sets it": {Auto, scaled("kube-controller-manager", "scale"), "(set by kube-controller-manager, scaling)",
			"give it at least 3 replicas (minReplicas; kubectl -n shop get hpa)"},
		"GitOps puts it back": {Auto, both(scaled("argocd-controller", ""), func(d *appsv1.Deployment) {
			d.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}
		}), "(set by argocd-controller)", "Argo CD application shop undoes a manual edit when it syncs, at once with self-heal"},
		"who did it was not noted": {Auto, func(d *appsv1.Deployment) { *d.Spec.Replicas = 1 },
			"has 1 instead of the 3 replicas that the surge gave it, so", "find out"},
		"whoever did it has a hostile name": {Auto, scaled("\x1b[2J\nx", ""), "(set by [2J x)", "find out"},
		"it goes on":                        {Restart, stamped(began), "", ""},
		"it was restarted once more":        {Restart, stamped(began.Add(time.Hour)), "", ""},
		"its rollout is paused": {Restart, both(stamped(began), func(d *appsv1.Deployment) { d.Spec.Paused = true }),
			"the rollout of Deployment shop/web was paused", "kubectl -n shop rollout resume deployment/web"},
		"its rollout is undone": {Restart, stamped(began.Add(-time.Hour)),
			"the restart of Deployment shop/web was undone", "find out"},
		"its rollout is undone to the first": {Restart, nil, "the restart of Deployment shop/web was undone", "find out"},
	} {
		t.Run(name, func(t *testing.T) {
			three := int32(3)
			d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "web"},
				Spec: appsv1.DeploymentSpec{Replicas: &three}}
			if tc.change != nil {
				tc.change(d)
			}
			m := Measure{Namespace: "shop", Name: "web", UID: "web", Budget: "shop/web", Mode: tc.mode, From: 2, To: 3, at: began}
			u, is := m.undone(d)
			if is != (tc.why != "") || !strings.Contains(u.Why, tc.why) || !strings.Contains(u.WayOut, tc.way) ||
				strings.ContainsAny(u.Why, "\x1b\n") {
				t.Errorf("undone %v: %q, way out %q", is, u.Why, u.WayOut)
			}
		})
	}
}

func TestASurgeIsWatchedWhileItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		two := int32(2)
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "web"},
			Spec: appsv1.DeploymentSpec{Replicas: &two}}
		client := kubetest.NewClient(d)
		measures := []Measure{{Namespace: "shop", Name: "web", UID: "web", Mode: Auto, From: 2, To: 3},
			{Namespace: "shop", Name: "db", UID: "db", Refused: "no"}}
		if err := Begin(t.Context(), client, measures, "ann"); err != nil {
			t.Fatal(err)
		}
		told := make(chan Undone, 9)
		ended := make(chan struct{})
		go func() {
			Watch(t.Context(), client, measures, func(u Undone) { told <- u })
			close(ended)
		}()
		time.Sleep(10 * lookEvery) // of a bubble
		if len(told) > 0 {
			t.Error("told although nothing has happened")
		}
		found, err := client.AppsV1().Deployments("shop").Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		*found.Spec.Replicas = 1
		if _, err := client.AppsV1().Deployments("shop").Update(t.Context(), found, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		<-ended // there is nothing else to look at
		if u := <-told; u.Measure.Name != "web" || len(told) > 0 {
			t.Errorf("told %+v, and %d more", u, len(told))
		}
	})
}
