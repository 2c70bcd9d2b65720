// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
)

// constant bounds the requests that a drain makes beside those for pods, nodes
// and surges: lists and watches, reading the nodes, and telling where pods went.
const constant = 60

// TestTwentyNodesUnderTenBudgets: 500 pods, or 2,000, move from twenty nodes to twenty
// others and back again, and each of ten budgets spans all of the nodes. On the way
// back another client evicts the same pods.
func TestTwentyNodesUnderTenBudgets(t *testing.T) {
	p, each := newPlane(t, 20), full(200, 50)
	var apps []app
	floor := map[string]int{}
	for i := range 10 {
		a := app{name: fmt.Sprintf("app%d", i), replicas: each, budget: fmt.Sprintf("maxUnavailable: %d", each/10), stop: "500ms", ready: "500ms"}
		apps = append(apps, a)
		floor[a.name] = each - each/10
	}
	p.run(t, apps...)
	here := append([]string(nil), p.nodes...)
	p.addNodes(t, 20)
	there := p.nodes[20:]
	seen := p.watchFloors(t)
	p.moves(t, here, 10*each, false)
	if o := p.ours(t, append([]string{"uncordon"}, here...)...); o.code != 0 {
		t.Fatal(o.all())
	}
	for _, a := range apps {
		p.settled(t, a)
	}
	p.moves(t, there, 10*each, true)
	seen.held(t, floor)
}

// moves drains twenty nodes with so many pods and counts what that took.
func (p *plane) moves(t *testing.T, nodes []string, pods int, rival bool) {
	t.Helper()
	before := p.mark(t)
	stop := func() {}
	if rival {
		stop = p.rival(t, nodes)
	}
	o := p.ours(t, append([]string{"drain", "--max-parallel", "100%"}, nodes...)...)
	stop()
	if o.code != 0 {
		t.Fatalf("exit code %d\n%s", o.code, o.all())
	}
	for _, node := range nodes {
		if left := p.on(t, node); len(left) > 0 {
			t.Errorf("%d pods are left on %s", len(left), node)
		}
	}
	counts, refusals := tally(p.requests(t, before, "kubectl-lifecycle"))
	total, refused := 0, refusals[p.space]
	for _, n := range counts {
		total += n
	}
	t.Logf("| %d pods on 20 nodes in %s with %d requests, %d of them refused: %v", pods, o.took.Round(100*time.Millisecond),
		total, refused, counts)
	// A node takes three: its cordon, and its conditions before and after.
	if most := pods + 3*len(nodes) + refused + constant; total > most {
		t.Errorf("%d requests, more than pods + 3 × nodes + refusals + %d = %d: %v", total, constant, most, counts)
	}
	if counts["patch nodes"] != len(nodes) {
		t.Errorf("%d patches of nodes", counts["patch nodes"])
	}
	if most := pods / 10; !rival && refused > most {
		t.Errorf("%d refusals, more than a tenth of the pods", refused)
	}
}

// rival evicts pods of the nodes at random, as another tool would.
func (p *plane) rival(t *testing.T, nodes []string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		for ctx.Err() == nil {
			list, err := p.client.CoreV1().Pods(p.space).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" +
				nodes[rand.IntN(len(nodes))]})
			if err != nil || len(list.Items) == 0 {
				continue
			}
			pod := list.Items[rand.IntN(len(list.Items))]
			_ = p.client.PolicyV1().Evictions(p.space).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name,
				Namespace: p.space}})
		}
	})
	return func() { cancel(); wait.Wait() }
}

// TestTheWavesOfABudgetAreTold: of four pods two may be away, so that two go and
// then the other two.
func TestTheWavesOfABudgetAreTold(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	p.run(t, app{name: "db", replicas: 4, budget: "maxUnavailable: 2", stop: "1s", ready: "3s"})
	p.addNodes(t, 1)
	o := p.ours(t, "drain", p.nodes[0], "-o", "json")
	var said struct{ Waits []evict.Wait }
	if err := json.Unmarshal([]byte(o.stdout), &said); err != nil || o.code != 0 {
		t.Fatalf("exit code %d, %v: %s", o.code, err, o.all())
	}
	if len(said.Waits) != 1 || said.Waits[0].Budget != p.space+"/db" || len(said.Waits[0].Waves) != 2 {
		t.Fatalf("got %+v, want two waves under %s/db", said.Waits, p.space)
	}
	if waves := said.Waits[0].Waves; waves[0] < 3 {
		t.Errorf("the waves took %v s, and each successor takes 3 s", waves)
	}
}
