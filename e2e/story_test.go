// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestCircle is the whole story, in order. A stage that fails does not stop the
// others unless they need what it could not make.
func TestCircle(t *testing.T) {
	b := newBed(t)
	b.ears = listen(t, b.client)
	b.fresh(t)
	b.pristine = b.look(t, b.blank)
	begun := time.Now()
	for _, stage := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"input that makes no sense changes nothing", b.stageBadInput},
		{"the host of a node without a network is readable", b.stageInspectNotReady},
		{"cni install gives the cluster a network that works", b.stageNetwork},
		{"join prints a command that works and then dies", b.stageJoin},
		{"the network of the joined host works across nodes", b.stagePodNetwork},
	} {
		start := time.Now()
		t.Run(strings.ReplaceAll(stage.name, " ", "-"), stage.run)
		b.took("stage: "+stage.name, time.Since(start))
	}
	b.took("the whole story", time.Since(begun))
	for _, line := range b.times {
		t.Logf("%8s  %s", line.took.Round(100*time.Millisecond), line.what)
	}
}

// fresh makes sure that the blank host has never joined: one that has is made
// again. Of an earlier story nothing else stays either.
func (b *bed) fresh(t *testing.T) {
	t.Helper()
	b.forgetFixtures(t)
	_, err := b.tryHost(t, b.blank, "test ! -e /etc/kubernetes/kubelet.conf && test ! -e /var/lib/kubelet")
	if err == nil && b.node(t, b.blank) == nil {
		return
	}
	t.Logf("host %s has joined before: it is made again", b.blank)
	b.kubectl(t, "", "delete", "node", b.blank, "--ignore-not-found")
	for _, args := range [][]string{{"blank", "--rm", b.blank}, {"blank", b.blank}} {
		if _, err := commandIn(t, "../hack/testbed", "go", append([]string{"run", "."}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
}

// forgetFixtures deletes what an earlier story may have left in the cluster.
func (b *bed) forgetFixtures(t *testing.T) {
	t.Helper()
	b.kubectl(t, "", "delete", "namespace", shop, "--ignore-not-found", "--wait=true")
	b.kubectl(t, "", "uncordon", b.controlPlane, b.worker, b.worker2)
}
