// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// makeBlank makes one more host that has never joined; it goes with the test.
func (b *bed) makeBlank(t *testing.T, name string) {
	t.Helper()
	blank := func(args ...string) error {
		_, err := commandIn(t, "../hack/testbed", "go", append([]string{"run", ".", "blank"}, args...)...)
		return err
	}
	if err := errors.Join(blank("--rm", name), blank(name)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := blank("--rm", name); err != nil {
			t.Error(err)
		}
	})
	eventually(t, 30*time.Second, "its addresses are its own", func() (bool, string) {
		tentative := b.host(t, name, "ip -o address show tentative")
		return tentative == "", tentative
	})
}

// stageMany: two hosts of a rack are removed with one command, side by side, and
// the budget that spans them holds.
func (b *bed) stageMany(t *testing.T) {
	b.joined(t)
	other := *b
	other.blank = b.name + "-more"
	b.makeBlank(t, other.blank)
	t.Cleanup(func() {
		if _, err := b.tryKubectl(t, "", "delete", "node", other.blank, "--ignore-not-found"); err != nil {
			t.Error(err)
		}
	})
	other.joinHost(t)
	b.kubectl(t, "", "cordon", other.blank)
	b.deployWeb(t, b.blank)
	b.kubectl(t, "", "uncordon", other.blank)
	b.kubectl(t, "", "label", "node", b.blank, other.blank, "rack=e2e")
	b.refuses(t, b.blank, refusal{"remove by a label that no node has", []string{"remove", "-l", "rack=none", "--yes"}, 4,
		[]string{"none matches"}, nil},
		refusal{"remove of two, one of them the last control plane", []string{"remove", b.blank, b.controlPlane, "--yes"}, 4,
			[]string{"the only control-plane node"}, nil})
	before := b.names(t, b.blank)
	fewest := b.watchReady(t, shop, "app=web")
	o := b.must(t, "remove", "-l", "rack=e2e", "--max-parallel", "2", "--yes", "--timeout", "5m")
	b.took("remove of two nodes", o.took)
	least, changes := fewest()
	b.budgetHeld(t, least, changes)
	for _, name := range []string{b.blank, other.blank} {
		if !strings.Contains(o.stdout, name) || b.node(t, name) != nil {
			t.Errorf("node %s: %s", name, o.stdout)
		}
	}
	if strings.Count(o.stdout, "removed") != 2 || strings.Count(o.stdout, "clean") != 2 {
		t.Errorf("stdout %q", o.stdout)
	}
	b.isPristine(t, b.blank, b.pristine)
	for _, name := range before.changed(b.names(t, b.blank)) {
		if !strings.Contains(name, other.blank) {
			t.Errorf("the removal left or took away: %s", name)
		}
	}
	again := b.run(t, 4, "remove", b.blank, other.blank, "--yes")
	again.says(t, "node not found")
}
