// SPDX-License-Identifier: Apache-2.0

//go:build e2e && bench

package control

import (
	"fmt"
	"testing"
	"time"

	kubectl "k8s.io/kubectl/pkg/drain"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/e2e/peer"
)

// limit is how long any command or wait may take: the slowest contender's time.
const limit = 20 * time.Minute

// contender is one way to drain the nodes with a label.
type contender struct {
	name  string
	agent string
	drain func(t *testing.T, p *plane) (code int)
}

func contenders() []contender {
	return []contender{
		{"kubectl drain", "kubectl/", func(t *testing.T, p *plane) int {
			t.Helper()
			return p.theirs(t, "drain", "-l", "old="+p.space).code
		}},
		{"kubectl's library, no throttling, node by node", "e2e", libraryDrain},
		{"evict and watch, nothing else (the floor)", "e2e", func(t *testing.T, p *plane) int {
			t.Helper()
			if err := peer.Floor(t.Context(), p.client, p.space, p.old(t)...); err != nil {
				t.Error(err)
				return 1
			}
			return 0
		}},
		{"kubectl lifecycle drain", "kubectl-lifecycle", func(t *testing.T, p *plane) int {
			t.Helper()
			o := p.ours(t, "drain", "-l", "old="+p.space, "--max-parallel", "100%")
			if o.code != 0 {
				t.Log(o.all())
			}
			return o.code
		}},
	}
}

func libraryDrain(t *testing.T, p *plane) int {
	t.Helper()
	for _, node := range p.old(t) {
		helper := &kubectl.Helper{
			Ctx: t.Context(), Client: p.client, GracePeriodSeconds: -1, Out: &lockedBuffer{}, ErrOut: &lockedBuffer{},
			EvictErrorRetryDelay: 5 * time.Second,
		}
		if kubectl.RunNodeDrain(helper, node) != nil {
			return 1
		}
	}
	return 0
}

// old are the nodes to be drained: the first half.
func (p *plane) old(t *testing.T) []string {
	t.Helper()
	return p.nodes[:len(p.nodes)/2]
}

// compare has each contender drain n nodes of a fresh set, by turns, whose pods
// can go to as many others.
func compare(t *testing.T, title string, n int, apps ...app) {
	t.Helper()
	var report peer.Report
	for range peer.Runs() {
		for _, c := range contenders() {
			if !peer.Wanted(c.name) {
				continue
			}
			p := newPlane(t, n)
			p.run(t, apps...)
			if o := p.theirs(t, append(append([]string{"label", "node"}, p.nodes...), "old="+p.space)...); o.code != 0 {
				t.Fatal(o.all())
			}
			p.addNodes(t, n)
			if c.agent == "e2e" { // who does it by hand has cordoned before
				if o := p.theirs(t, "cordon", "-l", "old="+p.space); o.code != 0 {
					t.Fatal(o.all())
				}
			}
			seen := p.watchFloors(t)
			before, began := p.mark(t), time.Now()
			if code := c.drain(t, p); code != 0 {
				t.Errorf("%s: exit code %d", c.name, code)
			}
			took := time.Since(began)
			for _, node := range p.old(t) {
				if left := p.on(t, node); len(left) > 0 {
					t.Errorf("%s: %d pods are still on %s", c.name, len(left), node)
				}
			}
			floors := map[string]int{}
			for _, a := range apps {
				floors[a.name] = a.floor
			}
			seen.held(t, floors)
			counts, refused := tally(p.requests(t, before, c.agent))
			total := 0
			for _, n := range counts {
				total += n
			}
			report.Add(c.name, took, total, refused[p.space])
			p.forget(t)
		}
	}
	fmt.Print(report.Text(title))
}

func TestBench110Pods(t *testing.T) {
	compare(t, "110 pods that stop within 5 s, no budget", 1, app{name: "a", replicas: 110, stop: "5s"})
}

func TestBench10PodsUnderOneBudget(t *testing.T) {
	compare(t, "10 pods under a budget of one, Ready within 1 s", 1, app{name: "a", replicas: 10, budget: "maxUnavailable: 1", floor: 9,
		stop: "500ms", ready: "1s"})
}

func TestBenchTwentyNodes(t *testing.T) {
	var apps []app
	for i := range 10 {
		apps = append(apps, app{name: fmt.Sprintf("app%d", i), replicas: 200, budget: "maxUnavailable: 50%", floor: 100,
			stop: "20s", ready: "1s"})
	}
	compare(t, "20 nodes × 100 pods that stop within 20 s and are Ready within 1 s, under 10 budgets of a half", 20, apps...)
}
