// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryKindThatGoesHasAStage(t *testing.T) {
	for _, kind := range kindOrder() {
		if kind != KindSysctl && kind != KindFlags && stage(Item{Kind: kind, Fate: Goes}) < 0 {
			t.Errorf("%s has no stage: it would be listed before the etcd member", kind)
		}
	}
}

func TestTheStagesAreInTheOrderOfARemoval(t *testing.T) {
	order := []Kind{
		KindMember, KindUnit, KindSandbox, KindProcess, KindMount, KindNetNS, KindProgram, KindVirtual, KindLink, KindRoute, KindJump, KindChain, KindIPSet,
		KindPin, KindCgroup, KindFile,
	}
	var got []int
	for _, kind := range order {
		got = append(got, stage(Item{Kind: kind}))
	}
	for i := 1; i < len(got); i++ {
		if got[i-1] >= got[i] {
			t.Errorf("%s (stage %d) does not come before %s (stage %d)", order[i-1], got[i-1], order[i], got[i])
		}
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
		{"a file that leads to the cluster is no clean", Inventory{Items: []Item{but}}, CleanBut, "clean, but 1 thing still refers to the cluster"},
		{"what is left outweighs it", Inventory{Items: []Item{but, {Kind: KindLink, Fate: Goes}}}, Dirty, "dirty"},
		{"a reboot does not", Inventory{Items: []Item{but, but, {Kind: KindMount, Fate: Reboot}}}, CleanBut, "clean, but 2 things still refer to the cluster"},
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
