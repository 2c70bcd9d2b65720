// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/envtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// FuzzWhatAHostLeaves feeds what a host may leave as its inventory, its verdict and the outcome of
// a move, decoded as the commands do, to all that decides by it and shows it.
func FuzzWhatAHostLeaves(f *testing.F) {
	const forged = envtest.Forged
	item := inventory.Item{Kind: inventory.Kind("node/" + forged), Name: forged, In: forged, Owner: forged, Fate: inventory.Stays,
		Refers: forged, Why: forged, Detail: forged}
	goes := inventory.Item{Kind: inventory.KindFile, Name: forged, Fate: inventory.Goes, Personal: forged, Manner: inventory.PutBack,
		Original: forged}
	inv := inventory.Inventory{Hostname: forged, Items: []inventory.Item{item, goes}, Blocking: []string{forged}, Objection: forged,
		Unchecked: []inventory.Unchecked{{Kind: inventory.KindMount, What: forged, Why: forged}}}
	verdict := inventory.Verify(inv, inv)
	verdict.Backup, verdict.AfterReboot, verdict.Personal, verdict.Lost = forged, inv.Items, inv.Items, inv.Items
	for _, seed := range []any{inv, verdict, map[string]any{"verdict": verdict, "error": forged}, inventory.Verdict{State: inventory.Clean},
		[]int{}, map[string]any{"items": []any{nil, 1}}} {
		raw, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var moved wire.Moved
		if json.Unmarshal(raw, &moved) == nil {
			said := shows(t, func(c commands) error { c.TellError(errors.New(moved.Error)); return nil })
			if strings.Contains("\n"+said, "\nnode/") {
				t.Errorf("what a join ended with makes a line: %q", said)
			}
			tellsVerdict(t, moved.Verdict)
		}
		tellsVerdict(t, raw)
		tellsInventory(t, raw)
	})
}

// shows is what a command writes, of which a terminal obeys nothing, without the lines that are
// marked as another's.
func shows(t *testing.T, write func(c commands) error) string {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	c := commands{env.New(streams, "dev")}
	if err := write(c); err != nil {
		t.Fatal(err)
	}
	written := out.String() + errOut.String()
	for _, r := range envtest.AScreen().ReplaceAllString(written, "") {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%U is printed: %q", r, written)
		}
	}
	return regexp.MustCompile(`(?m)^  \| .*\n`).ReplaceAllString(written, "")
}

func tellsVerdict(t *testing.T, raw []byte) {
	t.Helper()
	var v inventory.Verdict
	if json.Unmarshal(raw, &v) != nil {
		return
	}
	lines := 1 + len(v.Personal) + len(v.AfterReboot) + len(v.Flags) + len(v.Lost) + len(v.Changed)
	if written := shows(t, func(c commands) error { c.tellVerdict(v); return nil }); strings.Count(written, "\n") > lines {
		t.Errorf("more than %d lines: %q", lines, written)
	}
	err := stillRefers("w1", v)
	if err != nil {
		shows(t, func(c commands) error { c.TellError(err); return nil })
	}
	if refer, unseen := v.Referring(); len(refer)+len(unseen) != len(v.But) || (err == nil) != (len(v.But) == 0) {
		t.Errorf("%d and %d of %d", len(refer), len(unseen), len(v.But))
	}
}

func tellsInventory(t *testing.T, raw []byte) {
	t.Helper()
	var inv inventory.Inventory
	if json.Unmarshal(raw, &inv) != nil {
		return
	}
	for _, wide := range []bool{true, false} {
		written := shows(t, func(c commands) error { return view.Inventory(c.Sheet(), inv, wide) })
		if lines := 2 + len(inv.Items) + len(inv.Unchecked); strings.Count(written, "\n") > lines {
			t.Errorf("more than %d lines: %q", lines, written)
		}
		for line := range strings.Lines(written) {
			first, _, _ := strings.Cut(line, " ")
			kind := first == view.Kind(inventory.Kind(first)) || slices.Contains([]string{"KIND", "not"}, first) ||
				strings.Trim(first, "0123456789") == ""
			if !kind {
				t.Errorf("a line of another making: %q", line)
			}
		}
	}
	if r := inventory.Decide(inv); len(r.Objects)+len(r.Stay) != len(inv.Items) {
		t.Errorf("%d go and %d stay of %d", len(r.Objects), len(r.Stay), len(inv.Items))
	}
	if v := inventory.Verify(inv, inv); v.State == inventory.Clean && len(inv.Unchecked)+len(inv.Blocking) > 0 {
		t.Errorf("clean, with %v and %v", inv.Unchecked, inv.Blocking)
	}
}
