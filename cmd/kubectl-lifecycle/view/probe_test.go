// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/probe"
)

func TestAProbeNamesThePairsAndTheWayOut(t *testing.T) {
	result := probe.Result{
		Nodes: []string{"w1", "w2"}, Skipped: []probe.Skipped{{Node: "w3", Why: "its kubelet does not\x1b[2J answer"}},
		Lines: []probe.Line{
			{Name: probe.Pods, Outcome: probe.Fails, Detail: "1 of 3 fail: w4: x", Messages: []string{"cni plugin not initialized", "else"}},
			{Name: probe.Across, Outcome: probe.Fails, Detail: "1 of 2 fail: w1 → w2: i/o timeout", Finding: "CNI015"},
			{Name: probe.Service, Outcome: probe.Works, Detail: "2 of 2"},
		},
		Pairs: []probe.Pair{{From: "w1", To: "w2", Stream: probe.Fails, FullSize: probe.Fails, Bytes: 1450, Why: "i/o timeout"},
			{From: "w2", To: "w1", Stream: probe.Works, FullSize: probe.Works, Bytes: 1450}},
	}
	show := func(wide bool) string {
		var out bytes.Buffer
		if err := Probe(NewSheet(&out), result, wide); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	got := show(false)
	for _, want := range []string{"w1     w2   fails    fails (1450 bytes)", "not tried: node w3", "CNI015 error", "Open the overlay's port",
		"CNI006 error"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "w2     w1") || strings.Contains(got, "\x1b") {
		t.Errorf("a pair that works is shown, or an escape:\n%s", got)
	}
	if wide := show(true); !strings.Contains(wide, "w2     w1") {
		t.Errorf("not all pairs are shown:\n%s", wide)
	}
}
