// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// declared are the kinds that the source declares: one that is added and forgotten
// elsewhere is found.
func declared(t *testing.T) []Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "inventory.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []Kind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, is := n.(*ast.ValueSpec)
		if !is || len(spec.Values) != 1 {
			return true
		}
		kind, is := spec.Type.(*ast.Ident)
		if is && kind.Name == "Kind" {
			out = append(out, Kind(strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)))
		}
		return true
	})
	return out
}

func TestEveryKindThatGoesHasAStage(t *testing.T) {
	all := declared(t)
	if len(all) < 20 {
		t.Fatalf("found only %d kinds: %v", len(all), all)
	}
	for _, kind := range all {
		_, goes := StageOf(Item{Kind: kind, Fate: Goes})
		if goes == slices.Contains(Reported(), kind) {
			t.Errorf("%s: a stage removes it (%v), or it is only reported: one of the two", kind, goes)
		}
	}
	listed := kinds()
	slices.Sort(all)
	slices.Sort(listed)
	if diff := cmp.Diff(all, listed); diff != "" {
		t.Errorf("each kind is in one stage, once (-declared +in the order):\n%s", diff)
	}
	if _, goes := StageOf(Item{Kind: "unheard-of"}); goes {
		t.Error("a kind that is in no stage has one")
	}
}

func TestTheStagesAreInTheOrderOfARemoval(t *testing.T) {
	order := []Item{
		{Kind: KindMember}, {Kind: KindUnit}, {Kind: KindSandbox},
		{Kind: KindContainer, Turn: AfterOthers}, {Kind: KindProcess}, {Kind: KindMount},
		{Kind: KindNetNS}, {Kind: KindProgram}, {Kind: KindVirtual}, {Kind: KindLink}, {Kind: KindAddress}, {Kind: KindRoute}, {Kind: KindJump},
		{Kind: KindChain},
		{Kind: KindIPSet}, {Kind: KindPin}, {Kind: KindCgroup}, {Kind: KindFile}, {Kind: KindFile,
			Turn: AsCredential}, {Kind: KindFile, Turn: AsHold},
	}
	var mixed []Item
	for i := range order {
		order[i].Fate = Goes
		mixed = append([]Item{order[i]}, mixed...)
	}
	if diff := cmp.Diff(order, Decide(Inventory{Items: mixed}).Objects); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAVerdictThatNamesWhatStillRefers(t *testing.T) {
	but := Item{Kind: KindFile, Name: "/etc/x", Owner: Foreign, Fate: Stays, Refers: "the cluster's certificate authority"}
	for _, tc := range []struct {
		name    string
		after   Inventory
		want    State
		summary string
	}{
		{"a file that leads to the cluster is no clean", Inventory{Items: []Item{but}}, CleanBut,
			"clean, but 1 thing still refers to the cluster"},
		{"what is left outweighs it", Inventory{Items: []Item{but, {Kind: KindLink, Fate: Goes}}}, Dirty, "dirty"},
		{"a reboot does not", Inventory{Items: []Item{but, but, {Kind: KindMount, Fate: Reboot}}}, CleanBut,
			"clean, but 2 things still refer to the cluster"},
		{"what was not looked at is no reference", Inventory{Items: []Item{but,
			{Kind: KindDir, Fate: Stays, Refers: NotLookedAt + "x"}}}, CleanBut,
			"clean, but 1 thing still refers to the cluster, and 1 thing could not be looked at"},
		{"a thing of others that does not refer is clean", Inventory{Items: []Item{{Kind: KindFile, Fate: Stays}}}, Clean, "clean"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := Verify(Inventory{Items: []Item{but}}, tc.after)
			if diff := cmp.Diff([]any{tc.want, tc.summary, tc.want != Dirty}, []any{v.State, v.Summary(), v.State.Done()}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
