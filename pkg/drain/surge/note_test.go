// SPDX-License-Identifier: Apache-2.0

package surge

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// The note on a Deployment is another tool's to remove: what was raised is lowered by what
// this run knows, or it is said that nothing is known.
func TestASurgeWhoseNoteIsGoneIsTakenBackOrNamed(t *testing.T) {
	noteless, damaged := `{"metadata":{"annotations":{"`+label+`":null}}}`, `{"metadata":{"annotations":{"`+label+`":"x"}}}`
	const removed = "something else had removed the note"
	unlabelled, scaled := `{"metadata":{"labels":{"`+label+`":null}}}`, `{"metadata":{"annotations":{"`+label+`":null}},"spec":{"replicas":7}}`
	strip := `"labels":{"` + label + `":null},"annotations":{"` + label + `":null}`
	for name, tc := range map[string]struct {
		change string
		// later says that another run looks, which has not begun it.
		later    bool
		replicas int32
		says     string
	}{
		"it is there":                                               {`{}`, false, 2, "has 2 replicas again"},
		"it is there, and another run looks":                        {`{}`, true, 2, "has 2 replicas again"},
		"label and note are gone":                                   {`{"metadata":{` + strip + `}}`, false, 2, removed},
		"the label is gone":                                         {unlabelled, false, 2, "has 2 replicas again"},
		"the note is gone":                                          {noteless, false, 2, removed},
		"the note is damaged":                                       {damaged, false, 2, removed},
		"the note is gone, and another run looks":                   {noteless, true, 3, "it has 3 replicas now"},
		"the note is damaged, and another run looks":                {damaged, true, 3, "label deployment web " + label + "-"},
		"both are gone, and it was scaled since":                    {`{"metadata":{` + strip + `},"spec":{"replicas":7}}`, false, 7, ""},
		"both are gone, and it was put back":                        {`{"metadata":{` + strip + `},"spec":{"replicas":2}}`, false, 2, ""},
		"the note is gone, and it was scaled since":                 {scaled, false, 7, ""},
		"both are gone, and another run looks: nothing tells of it": {`{"metadata":{` + strip + `}}`, true, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			two := int32(2)
			client := kubetest.NewClient(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "web"},
				Spec: appsv1.DeploymentSpec{Replicas: &two}})
			begun := []Measure{{Namespace: "shop", Name: "web", UID: "web", Mode: Auto, From: 2, To: 3, Nodes: []string{"n1"}},
				{Namespace: "shop", Name: "db", UID: "db", Refused: "no"}}
			if err := Begin(t.Context(), client, begun, "ann"); err != nil {
				t.Fatal(err)
			}
			deployments := client.AppsV1().Deployments("shop")
			if _, err := deployments.Patch(t.Context(), "web", types.MergePatchType, []byte(tc.change), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			if tc.later {
				begun = nil
			}
			found, err := Find(t.Context(), client, []string{"n1"})
			if err != nil {
				t.Fatal(err)
			}
			all := Left(begun, found)
			if len(all) == 0 {
				all = found
			}
			said := ""
			for _, m := range all {
				one, err := Revert(t.Context(), client, m)
				if err != nil {
					t.Fatal(err)
				}
				said += one
			}
			d, err := deployments.Get(t.Context(), "web", metav1.GetOptions{})
			if err != nil || kube.Wanted(d.Spec.Replicas) != tc.replicas || !strings.Contains(said, tc.says) || (said == "") != (tc.says == "") {
				t.Errorf("%d replicas, said %q, %v", kube.Wanted(d.Spec.Replicas), said, err)
			}
		})
	}
}
