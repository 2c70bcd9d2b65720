// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

var nodeResource = corev1.SchemeGroupVersion.WithResource("nodes")

// farm is n cordoned nodes n0, n1 … with so many pods each.
func farm(nodes, pods int) []runtime.Object {
	var out []runtime.Object
	for n := range nodes {
		node := kubetest.Cordoned(kubetest.Node(fmt.Sprintf("n%d", n)))
		node.Labels = map[string]string{corev1.LabelTopologyZone: fmt.Sprintf("z%d", n%2)}
		out = append(out, node)
		for p := range pods {
			out = append(out, kubetest.Pod(fmt.Sprintf("n%d-p%d", n, p), kubetest.OnNode(node.Name)))
		}
	}
	return out
}

// evictFrom drains several nodes.
func evictFrom(t *testing.T, ctx context.Context, s *server, o drain.Options, nodes ...string) result {
	t.Helper()
	snapshot, err := drain.Survey(ctx, s.Clientset, drain.Target{Names: nodes}, o)
	if err != nil {
		t.Fatal(err)
	}
	var heard kubetest.Says
	begun := time.Now()
	out, err := Evict(ctx, s.Clientset, drain.Decide(snapshot, o), o, Listener{Report: heard.Report})
	took := time.Since(begun).Round(time.Millisecond)
	s.underWay.Wait()
	return result{Outcome: out, err: err, took: took, said: heard.All()}
}

func TestNodesTakeTurns(t *testing.T) {
	for _, tc := range []struct {
		name  string
		limit string
		zone  bool
		took  time.Duration
		order string // of the nodes, "|" between those that go together
	}{
		{"one after the other, in the order they were named", "1", false, 8 * time.Second, "n2|n0|n1|n3"},
		{"two at the same time", "2", false, 4 * time.Second, "n0 n2|n1 n3"},
		{"half of them", "50%", false, 4 * time.Second, "n0 n2|n1 n3"},
		{"less than one is one", "10%", false, 8 * time.Second, "n2|n0|n1|n3"},
		{"all together", "100%", false, 2 * time.Second, "n0 n1 n2 n3"},
		{"all of one zone together", "100%", true, 4 * time.Second, "n0 n2|n1 n3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, farm(4, 3)...)
				s.stop = 2 * time.Second
				o := drain.DefaultOptions()
				o.MaxParallel, o.OneZone = tc.limit, tc.zone
				r := evictFrom(t, t.Context(), s, o, "n2", "n0", "n1", "n3")
				if r.err != nil || r.took != tc.took || r.Requests != 12 {
					t.Errorf("got %v after %s with %d requests", r.err, r.took, r.Requests)
				}
				asked := map[string]int{} // the place of a node's first pod among all
				for i, pod := range s.order {
					if node, _, _ := strings.Cut(pod, "-"); asked[node] == 0 {
						asked[node] = i + 1
					}
				}
				before := 0
				for together := range strings.SplitSeq(tc.order, "|") {
					last := before
					for node := range strings.SplitSeq(together, " ") {
						if asked[node] <= before {
							t.Errorf("%s was asked at %d, before its turn: %v", node, asked[node], s.order)
						}
						last += 3
					}
					before = last
				}
				for _, node := range r.Nodes {
					if !node.Drained || node.Pods != 3 {
						t.Errorf("got %+v", node)
					}
				}
			})
		})
	}
}

func TestOneBudgetOverManyNodesIsSpentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, append(farm(5, 4), kubetest.Budget("web", 18, 20, 2))...)
		s.stop, s.replace = time.Second, 3*time.Second
		o := drain.DefaultOptions()
		o.MaxParallel = "100%"
		r := evictFrom(t, t.Context(), s, o, "n0", "n1", "n2", "n3", "n4")
		if r.err != nil || len(r.Evicted) != 20 || s.healthy < 18 || r.Refusals > 2 {
			t.Errorf("got %v, %d evicted, %d healthy at least, %d refusals", r.err, len(r.Evicted), s.healthy, r.Refusals)
		}
		// Two at a time, nine replacements in between, and the last one's stop.
		if want := 9*3*time.Second + time.Second; r.took != want {
			t.Errorf("took %s, the floor is %s", r.took, want)
		}
	})
}

func TestManyNodesAreReadAndWatchedAsOne(t *testing.T) {
	for _, tc := range []struct {
		name          string
		nodes, others int
		lists         int
	}{
		{"a few nodes are read one by one", 3, 0, 3},
		{"many of the cluster's are read in one list", 12, 20, 1},
		{"many that are few of the cluster's are read one by one", 12, 60, 12},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newServer(t, farm(tc.nodes+tc.others, 1)...)
			s.PrependReactor("list", "nodes", func(action clienttesting.Action) (bool, runtime.Object, error) {
				if action.(clienttesting.ListActionImpl).GetListOptions().Limit != 1 {
					return false, nil, nil
				}
				rest := int64(tc.nodes + tc.others - 1)
				return true, &corev1.NodeList{ListMeta: metav1.ListMeta{RemainingItemCount: &rest}, Items: []corev1.Node{*kubetest.Node("n0")}}, nil
			})
			var names []string
			for n := range tc.nodes {
				names = append(names, fmt.Sprintf("n%d", n))
			}
			snapshot, err := drain.Survey(t.Context(), s.Clientset, drain.Target{Names: names}, drain.DefaultOptions())
			if err != nil || len(snapshot.Pods) != tc.nodes {
				t.Fatalf("got %d pods, %v", len(snapshot.Pods), err)
			}
			lists := 0
			for _, action := range s.Actions() {
				if action.Matches("list", "pods") {
					lists++
				}
			}
			if lists != tc.lists {
				t.Errorf("%d lists of pods", lists)
			}
		})
	}
}

func TestPodsLeaveInTheOrderAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a-db", kubetest.Labelled("app", "db")), kubetest.Pod("b-web"),
			kubetest.Pod("c-batch", kubetest.Labelled("app", "batch")), kubetest.Pod("d-web"))
		s.stop = 2 * time.Second
		o := drain.DefaultOptions()
		o.Order = []string{"app=batch", "app=web"}
		r := evict(t, t.Context(), s, o)
		if got := strings.Join(s.order, " "); got != "c-batch b-web d-web a-db" && got != "c-batch d-web b-web a-db" {
			t.Errorf("asked in the order %s", got)
		}
		if r.err != nil || r.took != 6*time.Second {
			t.Errorf("got %v after %s", r.err, r.took)
		}
	})
}

func TestWhatComesAfterAPodThatCannotGoIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b", kubetest.Labelled("app", "db")), kubetest.Budget("web", 0, 1, 1),
			kubetest.Budget("all", 0, 1, 1))
		o := drain.DefaultOptions()
		o.Order = []string{"app=web"}
		r := evict(t, t.Context(), s, o)
		r.fails(t, plan.Broken, "more than one PodDisruptionBudget matches it", "shop/b")
		if r.Requests != 0 {
			t.Errorf("%d requests", r.Requests)
		}
	})
}

func TestAPodThatTakesTooLongIsLeftAndTheOthersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, append(farm(2, 2), kubetest.Pod("held", kubetest.OnNode("n0"), kubetest.Labelled("app", "db")), func() runtime.Object {
			pdb := kubetest.Budget("db", 1, 1, 0)
			pdb.Spec.Selector.MatchLabels = map[string]string{"app": "db"}
			return pdb
		}())...)
		s.stop = 2 * time.Second
		o := drain.DefaultOptions()
		o.PodTimeout = time.Minute
		r := evictFrom(t, t.Context(), s, o, "n0", "n1")
		r.fails(t, plan.TimedOut, "PodDisruptionBudget shop/db", "shop/held")
		if len(r.Evicted) != 4 || r.took != time.Minute+2*time.Second || !strings.Contains(r.Left[0].Why, "--pod-timeout 1m0s") {
			t.Errorf("%d evicted after %s, left %+v", len(r.Evicted), r.took, r.Left)
		}
		if r.Nodes[0].Drained || !r.Nodes[1].Drained {
			t.Errorf("got %+v", r.Nodes)
		}
	})
}

func TestANodeThatSomebodyMakesSchedulableIsLetGoOf(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*server)
		why    string
	}{
		{"uncordoned", func(s *server) {
			s.store(nodeResource, kubetest.Node("n0"), "")
		}, "node n0 was uncordoned during the drain"},
		{"deleted", func(s *server) {
			if err := s.Tracker().Delete(nodeResource, "", "n0"); err != nil {
				s.t.Error(err)
			}
		}, "node n0 was deleted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, append(farm(2, 3), kubetest.Budget("web", 5, 6, 1))...)
				s.stop, s.replace = time.Second, 4*time.Second
				s.underWay.Go(func() {
					time.Sleep(5 * time.Second)
					tc.change(s)
				})
				r := evictFrom(t, t.Context(), s, drain.DefaultOptions(), "n0", "n1")
				r.fails(t, plan.Broken, tc.why, "the same command again")
				// Two went before the change, the third stays, and the other node is drained.
				if len(r.Evicted) != 5 || len(r.Left) != 1 || r.Left[0].Node != "n0" || r.Left[0].Cause != drain.CauseUncordoned {
					t.Errorf("%d evicted, left %+v", len(r.Evicted), r.Left)
				}
			})
		})
	}
}

func TestReplacementsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		three := int32(3)
		rs := &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-7c", UID: "uid-ReplicaSet-web-7c", ResourceVersion: "1"},
			Spec:       appsv1.ReplicaSetSpec{Replicas: &three}, Status: appsv1.ReplicaSetStatus{ReadyReplicas: 3},
		}
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b"), kubetest.Pod("c"), rs)
		resource := appsv1.SchemeGroupVersion.WithResource("replicasets")
		set := func(ready int32) {
			next := rs.DeepCopy()
			next.Status.ReadyReplicas = ready
			s.store(resource, next, "shop")
		}
		s.answer = func(string, int) error {
			s.underWay.Go(func() {
				time.Sleep(100 * time.Millisecond)
				set(2)
				time.Sleep(10 * time.Second)
				set(3)
			})
			return nil
		}
		o := drain.DefaultOptions()
		o.WaitForReplacement = true
		r := evict(t, t.Context(), s, o)
		if r.err != nil || r.took != 3*(10*time.Second+100*time.Millisecond) {
			t.Errorf("got %v after %s", r.err, r.took)
		}
		r.heard(t, "has 2 of 3 pods Ready")
	})
}
