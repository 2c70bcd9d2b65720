// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// decideOn surveys and decides, failing the test on an error.
func decideOn(t *testing.T, client *fake.Clientset, o Options) Decision {
	t.Helper()
	s, err := Survey(context.Background(), client, Target{Names: []string{kubetest.TheNode}}, o)
	if err != nil {
		t.Fatalf("survey: %v", err)
	}
	return Decide(s, o)
}

func TestSurveyReadsOneListPerKindAndOnlyWhatIsNeeded(t *testing.T) {
	for _, tc := range []struct {
		name    string
		objects []runtime.Object
		opts    Options
		want    []string
	}{
		{"an ordinary pod needs no DaemonSets", []runtime.Object{kubetest.Pod("a")}, DefaultOptions(),
			[]string{"get nodes", "list pods", "list poddisruptionbudgets", "list replicasets"}},
		{"a hundred pods of a DaemonSet need one list", []runtime.Object{kubetest.Pod("a", kubetest.OfDaemonSet),
			kubetest.Pod("b", kubetest.OfDaemonSet)}, DefaultOptions(), []string{"get nodes", "list daemonsets", "list pods", "list " +
			"poddisruptionbudgets"}},
		{"deleting needs no budgets", []runtime.Object{kubetest.Pod("a", kubetest.Uncontrolled)}, Options{DisableEviction: true},
			[]string{"get nodes", "list pods"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := kubetest.NewClient(tc.objects...)
			decideOn(t, client, tc.opts)
			seen := map[string]int{}
			for _, action := range client.Actions() {
				seen[action.GetVerb()+" "+action.GetResource().Resource]++
			}
			for _, want := range tc.want {
				if seen[want] != 1 {
					t.Errorf("%q was asked %d times", want, seen[want])
				}
				delete(seen, want)
			}
			if len(seen) > 0 {
				t.Errorf("asked besides: %v", seen)
			}
		})
	}
}

func TestSurveyAsksForThePodsOfTheNodeInChunks(t *testing.T) {
	client := kubetest.NewClient()
	var queries []metav1.ListOptions
	expired := false
	client.PrependReactor("list", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		query := action.(clienttesting.ListActionImpl).ListOptions
		queries = append(queries, query)
		page := func(next string, pods ...*corev1.Pod) (bool, runtime.Object, error) {
			list := &corev1.PodList{ListMeta: metav1.ListMeta{Continue: next, ResourceVersion: "42"}}
			for _, pod := range pods {
				list.Items = append(list.Items, *pod)
			}
			return true, list, nil
		}
		switch {
		case query.Limit == 0:
			return page("", kubetest.Pod("a"), kubetest.Pod("b"), kubetest.Pod("c"))
		case query.Continue == "":
			return page("next", kubetest.Pod("a"))
		case !expired:
			expired = true
			return true, nil, apierrors.NewResourceExpired("too old")
		}
		return page("")
	})
	o := DefaultOptions()
	o.ChunkSize, o.PodSelector = 1, "app=web"
	s, err := Survey(t.Context(), client, Target{Names: []string{kubetest.TheNode}}, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Pods) != 3 || s.Scope.versions[kubetest.TheNode] != "42" {
		t.Errorf("got %d pods at version %s", len(s.Pods), s.Scope.versions[kubetest.TheNode])
	}
	for i, query := range queries {
		if query.FieldSelector != "spec.nodeName=w1" || query.LabelSelector != "app=web" {
			t.Errorf("query %d is %+v", i, query)
		}
	}
	if queries[0].Limit != 1 || len(queries) != 3 {
		t.Errorf("got %d queries, the first with limit %d", len(queries), queries[0].Limit)
	}
}

func TestSurveyRefusesWhatItCannotRead(t *testing.T) {
	forbidden := func(resource string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no"))
	}
	for _, tc := range []struct {
		verb, resource string
		err            error
		want           string
	}{
		{"get", "nodes", forbidden("nodes"), "you may not get nodes"},
		{"list", "pods", forbidden("pods"), "you may not list pods"},
		{"list", "poddisruptionbudgets", forbidden("poddisruptionbudgets"), "you may not list poddisruptionbudgets.policy"},
		{"list", "daemonsets", forbidden("daemonsets"), "you may not list daemonsets.apps"},
		{"get", "nodes", apierrors.NewNotFound(schema.GroupResource{Resource: "nodes"}, kubetest.TheNode), `node "w1" not found`},
	} {
		t.Run(tc.want, func(t *testing.T) {
			client := kubetest.NewClient(kubetest.Pod("a", kubetest.OfDaemonSet))
			kubetest.AnswerWith(client, tc.verb, tc.resource, tc.err)
			_, err := Survey(t.Context(), client, Target{Names: []string{kubetest.TheNode}}, DefaultOptions())
			if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), tc.want) || plan.HintOf(err) == "" {
				t.Errorf("got %v of class %d, hint %q", err, plan.ClassOf(err), plan.HintOf(err))
			}
		})
	}
}

func TestSurveyManagesWithoutReplicaSets(t *testing.T) {
	client := kubetest.NewClient(kubetest.Pod("a"))
	kubetest.AnswerWith(client, "list", "replicasets", apierrors.NewForbidden(schema.GroupResource{Resource: "replicasets"}, "",
		errors.New("no")))
	if got := decideOn(t, client, DefaultOptions()).Verdicts[0].Owners.String(); got != "ReplicaSet/web-7c" {
		t.Errorf("got %q", got)
	}
}

func TestCordon(t *testing.T) {
	for _, tc := range []struct {
		name          string
		cordoned      bool
		unschedulable bool
		changed       bool
	}{
		{"a schedulable node is cordoned", false, true, true},
		{"a cordoned node is left alone", true, true, false},
		{"a cordoned node is uncordoned", true, false, true},
		{"a schedulable node is not uncordoned", false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			node := kubetest.Node(kubetest.TheNode)
			node.Spec.Unschedulable = tc.cordoned
			client := fake.NewClientset(node)
			changed, err := Scheduling{Unschedulable: tc.unschedulable}.Apply(t.Context(), client, kubetest.TheNode)
			if err != nil || changed != tc.changed {
				t.Fatalf("got %v, %v", changed, err)
			}
			after, err := client.CoreV1().Nodes().Get(t.Context(), kubetest.TheNode, metav1.GetOptions{})
			if err != nil || after.Spec.Unschedulable != tc.unschedulable {
				t.Errorf("got %+v, %v", after.Spec, err)
			}
			patches := 0
			for _, action := range client.Actions() {
				if patch, ok := action.(clienttesting.PatchActionImpl); ok {
					patches++
					note := text.Choose(tc.unschedulable, `"{}"`, "null")
					if want := fmt.Sprintf(`{"metadata":{"annotations":{%q:%s},"uid":"uid-w1"},"spec":{"unschedulable":%v}}`, NoteAnnotation, note,
						tc.unschedulable); string(patch.Patch) != want {
						t.Errorf("got patch %s, want %s", patch.Patch, want)
					}
				}
			}
			if tc.changed != (patches == 1) {
				t.Errorf("%d patches", patches)
			}
		})
	}
}

// kubectl prints the error, evicts all the same and exits with 0
// (kubernetes/kubectl#1568).
func TestACordonThatFailsIsAnError(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"refused", apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, kubetest.TheNode, errors.New("no")), `cordon node "w1"`},
		{"broken", errors.New("EOF"), `cordon node "w1": EOF`},
		{"reverted", nil, "accepted the change but did not make it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := fake.NewClientset(kubetest.Node(kubetest.TheNode))
			client.PrependReactor("patch", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, kubetest.Node(kubetest.TheNode), tc.err
			})
			changed, err := Scheduling{Unschedulable: true}.Apply(t.Context(), client, kubetest.TheNode)
			if changed || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, %v", changed, err)
			}
		})
	}
}

func TestACordonAsADryRunAsksForOne(t *testing.T) {
	client := fake.NewClientset(kubetest.Node(kubetest.TheNode))
	changed, err := Scheduling{Unschedulable: true, DryRun: true}.Apply(t.Context(), client, kubetest.TheNode)
	if err != nil || !changed {
		t.Fatalf("got %v, %v", changed, err)
	}
	for _, action := range client.Actions() {
		if patch, ok := action.(clienttesting.PatchActionImpl); ok && !equal(patch.PatchOptions.DryRun, []string{metav1.DryRunAll}) {
			t.Errorf("got %+v", patch.PatchOptions)
		}
	}
}
