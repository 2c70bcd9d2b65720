// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// half waits until half of the pods that were on a node have left it.
func (p *plane) half(t *testing.T, node string) {
	t.Helper()
	was := len(p.on(t, node))
	p.until(t, "half of the pods have left", func(ctx context.Context) (bool, error) {
		list, err := p.client.CoreV1().Pods(p.space).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
		return err == nil && len(list.Items) <= was/2, nil
	})
}

// budgeted is an app of which one pod may go at a time, slowly enough to
// interrupt.
func budgeted() app {
	return app{name: "db", replicas: 8, budget: "maxUnavailable: 1", stop: "200ms", ready: "300ms"}
}

func (p *plane) drained(t *testing.T, o outcome, node string, seen *floors) {
	t.Helper()
	if left := p.on(t, node); o.code != 0 || len(left) > 0 {
		t.Errorf("exit code %d, %d pods are left: %s", o.code, len(left), o.all())
	}
	seen.held(t, map[string]int{"db": 7})
}

func TestADrainThatIsKilledGoesOn(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	p.run(t, budgeted())
	p.addNodes(t, 1)
	seen := p.watchFloors(t)
	c := p.start(t, p.plugin, p.kubeconfig, "drain", p.nodes[0], "--reason", "new disks")
	p.half(t, p.nodes[0])
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.end(t)
	if !p.cordoned(t, p.nodes[0]) {
		t.Error("it is not cordoned any more")
	}
	o := p.ours(t, "drain", p.nodes[0])
	p.drained(t, o, p.nodes[0], seen)
	node, err := p.client.CoreV1().Nodes().Get(t.Context(), p.nodes[0], metav1.GetOptions{})
	if err != nil || !strings.Contains(node.Annotations["lifecycle.kubectl.io/cordon"], "new disks") {
		t.Errorf("what the first one noted is lost: %v, %v", node.Annotations, err)
	}
}

func TestADrainThatIsInterruptedSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	p.run(t, budgeted())
	p.addNodes(t, 1)
	c := p.start(t, p.plugin, p.kubeconfig, "drain", p.nodes[0])
	p.half(t, p.nodes[0])
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	o := c.end(t)
	for _, want := range []string{"interrupted", "left on node " + p.nodes[0], "PodDisruptionBudget " + p.space + "/db",
		"the same command again", "uncordon " + p.nodes[0]} {
		if o.code != 130 || !strings.Contains(o.stderr, want) {
			t.Errorf("exit code %d, %q is not said:\n%s", o.code, want, o.stderr)
		}
	}
}

func TestADrainOutlivesItsAPIServer(t *testing.T) {
	p := newPlane(t, 1)
	p.run(t, budgeted())
	p.addNodes(t, 1)
	seen := p.watchFloors(t)
	c := p.start(t, p.plugin, p.kubeconfig, "drain", p.nodes[0])
	p.half(t, p.nodes[0])
	testbed, err := filepath.Abs("../../hack/testbed")
	if err != nil {
		t.Fatal(err)
	}
	restart := exec.CommandContext(t.Context(), "go", "run", ".", "control", "restart")
	restart.Dir, restart.Env = testbed, append(os.Environ(), "TESTBED_NAME="+need(t, "CONTROL_NAME"))
	if out, err := restart.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	o := c.end(t)
	p.drained(t, o, p.nodes[0], seen)
	if !strings.Contains(o.stderr, "cannot watch") {
		t.Errorf("that the server was away is not said:\n%s", o.stderr)
	}
}

func TestANodeThatSomebodyUncordonsIsLetGoOf(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	p.run(t, budgeted())
	p.addNodes(t, 1)
	c := p.start(t, p.plugin, p.kubeconfig, "drain", p.nodes[0])
	p.half(t, p.nodes[0])
	if _, err := p.client.CoreV1().Nodes().Patch(t.Context(), p.nodes[0], types.MergePatchType, []byte(`{"spec":{"unschedulable":false}}`),
		metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	o := c.end(t)
	if o.code != 1 || !strings.Contains(o.stderr, "node "+p.nodes[0]+" was uncordoned during the drain") {
		t.Errorf("exit code %d: %s", o.code, o.all())
	}
}
