// SPDX-License-Identifier: Apache-2.0

//go:build e2e && bench

package control

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	kubectl "k8s.io/kubectl/pkg/drain"
)

// runs is how often each contender drains; they take turns, so that all meet the
// same machine.
func runs(t *testing.T) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("BENCH_RUNS")); err == nil {
		return n
	}
	return 3
}

// contender is one way to drain a node; it returns when the pods are gone.
type contender struct {
	name  string
	agent string
	drain func(t *testing.T, p *plane, node string) (code int)
}

func contenders() []contender {
	return []contender{
		{"kubectl drain", "kubectl/", func(t *testing.T, p *plane, node string) int {
			t.Helper()
			return p.theirs(t, "drain", node).code
		}},
		{"kubectl's library, no throttling", "e2e", func(t *testing.T, p *plane, node string) int {
			t.Helper()
			helper := &kubectl.Helper{
				Ctx: t.Context(), Client: p.client, GracePeriodSeconds: -1, Out: &lockedBuffer{}, ErrOut: &lockedBuffer{}, EvictErrorRetryDelay: 5 * time.Second,
			}
			if kubectl.RunNodeDrain(helper, node) != nil {
				return 1
			}
			return 0
		}},
		{"evict at once and watch (the floor)", "e2e", func(t *testing.T, p *plane, node string) int {
			t.Helper()
			p.floor(t, node)
			return 0
		}},
		{"kubectl lifecycle drain", "kubectl-lifecycle", func(t *testing.T, p *plane, node string) int {
			t.Helper()
			return p.ours(t, "drain", node).code
		}},
	}
}

// measured is what the runs of one contender came to.
type measured struct {
	took              []time.Duration
	requests, refused []int
}

func median[T int | time.Duration](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// compare has each contender drain the first node of a fresh set, by turns.
func compare(t *testing.T, title string, a app, skip ...string) {
	t.Helper()
	results := map[string]*measured{}
	var order []string
	for range runs(t) {
		for _, c := range contenders() {
			if slices.Contains(skip, c.name) {
				continue
			}
			if results[c.name] == nil {
				results[c.name] = &measured{}
				order = append(order, c.name)
			}
			p := newPlane(t, 1)
			p.run(t, a)
			p.addNodes(t, 1)
			seen := p.watchFloors(t)
			before, began := p.mark(t), time.Now()
			if code := c.drain(t, p, p.nodes[0]); code != 0 {
				t.Errorf("%s: exit code %d", c.name, code)
			}
			took := time.Since(began)
			if a.budget != "" {
				seen.held(t, map[string]int{a.name: a.replicas - 1})
			}
			counts, refused := tally(p.requests(t, before, c.agent))
			total := 0
			for _, n := range counts {
				total += n
			}
			r := results[c.name]
			r.took, r.requests, r.refused = append(r.took, took), append(r.requests, total), append(r.refused, refused[p.space])
			p.forget(t)
		}
	}
	ours := median(results["kubectl lifecycle drain"].took)
	fmt.Printf("%s, medians of %d runs\n", title, runs(t))
	for _, name := range order {
		r := results[name]
		fmt.Printf("  %-38s %8.1f s  %6d requests  %4d refused   %5.2f × ours\n", name, median(r.took).Seconds(), median(r.requests), median(r.refused),
			float64(median(r.took))/float64(ours))
	}
}

// floor evicts every pod of a node as soon as its budget may allow it, by a
// watch, and waits for the end: as fast as the server lets anybody be.
func (p *plane) floor(t *testing.T, node string) {
	t.Helper()
	left := map[string]bool{}
	for _, pod := range p.on(t, node) {
		left[pod.Name] = true
	}
	asked := map[string]bool{}
	allowed := 1 << 20
	if list, err := p.client.PolicyV1().PodDisruptionBudgets(p.space).List(t.Context(), metav1.ListOptions{}); err == nil && len(list.Items) > 0 {
		allowed = int(list.Items[0].Status.DisruptionsAllowed)
	}
	budgets, err := p.client.PolicyV1().PodDisruptionBudgets(p.space).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer budgets.Stop()
	pods, err := p.client.CoreV1().Pods(p.space).Watch(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		t.Fatal(err)
	}
	defer pods.Stop()
	answers := make(chan string, len(left))
	for len(left) > 0 {
		for name := range left {
			if allowed > 0 && !asked[name] {
				allowed--
				asked[name] = true
				go p.evict(t.Context(), name, answers)
			}
		}
		select {
		case refused := <-answers:
			delete(asked, refused)
		case event := <-budgets.ResultChan():
			if pdb, ok := event.Object.(*policyv1.PodDisruptionBudget); ok {
				allowed = int(pdb.Status.DisruptionsAllowed)
			}
		case event := <-pods.ResultChan():
			if event.Type == watch.Deleted {
				delete(left, event.Object.(metav1.Object).GetName())
			}
		}
	}
}

// evict evicts one pod, and gives its name back if it was refused.
func (p *plane) evict(ctx context.Context, name string, refused chan<- string) {
	err := p.client.PolicyV1().Evictions(p.space).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.space}})
	if err != nil {
		refused <- name
	}
}

func TestBench110Pods(t *testing.T) {
	compare(t, "110 pods that stop within 5 s, no budget", app{name: "a", replicas: 110, stop: "5s"})
}

func TestBench10PodsUnderOneBudget(t *testing.T) {
	compare(t, "10 pods under a budget of one, Ready within 1 s", app{name: "a", replicas: 10, budget: "maxUnavailable: 1", stop: "500ms", ready: "1s"})
}

func TestBenchTwentyNodes(t *testing.T) {
	all := map[string][]time.Duration{}
	for range min(runs(t), 2) {
		for name, args := range map[string][]string{"kubectl drain -l": {"drain", "-l"}, "kubectl lifecycle drain -l --max-parallel 100%": {"drain", "--max-parallel", "100%", "-l"}} {
			p := newPlane(t, 20)
			var apps []app
			for i := range 10 {
				apps = append(apps, app{name: fmt.Sprintf("app%d", i), replicas: 200, budget: "maxUnavailable: 20", stop: "500ms", ready: "500ms"})
			}
			p.run(t, apps...)
			old := append([]string(nil), p.nodes...)
			p.theirs(t, append([]string{"label", "node", "old=" + p.space}, old...)...)
			p.addNodes(t, 20)
			run := p.theirs
			if args[1] != "-l" {
				run = p.ours
			}
			o := run(t, append(args, "old="+p.space)...)
			if o.code != 0 {
				t.Errorf("%s: %s", name, o.stderr)
			}
			all[name] = append(all[name], o.took)
			p.forget(t)
		}
	}
	fmt.Println("20 nodes × 100 pods under 10 budgets of 20")
	for name, took := range all {
		fmt.Printf("  %-50s %8.1f s\n", name, median(took).Seconds())
	}
}
