// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

func TestASetStaysForWhatHoldsIt(t *testing.T) {
	const set, list = "KUBE-CLUSTER-IP", "KUBE-LISTS"
	const inList, unseen = "the list of sets admins, which stays, has it in it", "something holds it that is neither a rule nor a set " +
		"(the kernel counts 2, and 1 are seen)"
	const rule = "a rule that is not ours uses it: table legacy ip filter, -A INPUT -m set --match-set KUBE-CLUSTER-IP dst -j DROP"
	const foreign, ours = "-A INPUT -m set --match-set KUBE-CLUSTER-IP dst -j DROP",
		"-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst -j ACCEPT"
	for name, tc := range map[string]struct {
		rules string
		sets  []netfilter.IPSet
		old   bool
		want  map[string]string
	}{
		"nothing":          {"", []netfilter.IPSet{{Name: set}}, false, map[string]string{}},
		"a rule that goes": {ours, []netfilter.IPSet{{Name: set, References: 1}}, false, map[string]string{}},
		"two of one rule's": {strings.Replace(ours, "dst -j", "dst -m set --match-set KUBE-CLUSTER-IP src -j", 1),
			[]netfilter.IPSet{{Name: set, References: 2}}, false, map[string]string{}},
		"a rule that stays": {ours + "\n" + foreign, []netfilter.IPSet{{Name: set, References: 2}}, false, map[string]string{set: rule}},
		"a foreign list": {"", []netfilter.IPSet{{Name: "admins", Members: []string{set}}, {Name: set, References: 1}}, false,
			map[string]string{set: inList}},
		"a list of ours": {"", []netfilter.IPSet{{Name: list, Members: []string{set}}, {Name: set, References: 1}}, false,
			map[string]string{}},
		"a list of ours in a rule that stays": {strings.ReplaceAll(foreign, set, list), []netfilter.IPSet{{Name: list, Members: []string{set},
			References: 1}, {Name: set, References: 1}}, false,
			map[string]string{list: strings.ReplaceAll(rule, set, list), set: "the list of sets KUBE-LISTS, which stays, has it in it"}},
		"what is not seen":                   {ours, []netfilter.IPSet{{Name: set, References: 2}}, false, map[string]string{set: unseen}},
		"what is not seen, of an old kernel": {ours, []netfilter.IPSet{{Name: set, References: 2}}, true, map[string]string{}},
		"what is not seen of a foreign set": {"", []netfilter.IPSet{{Name: "admins", References: 2}, {Name: set}}, false,
			map[string]string{}},
		"a foreign set in a foreign list": {"", []netfilter.IPSet{{Name: "admins", Members: []string{"mine"}}, {Name: "mine",
			References: 1}, {Name: set}}, false, map[string]string{}},
	} {
		use := setUse{by: map[string]string{}, count: map[string]uint32{}, numbers: map[uint16]string{}}
		if tc.old {
			use.numbers = nil
		}
		table := legacy(t, "*filter\n:INPUT ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n"+tc.rules)
		divide(table, ownership.FilterSigns(false, nil)).usesOf(use)
		got, _ := use.holders(tc.sets, []string{set, list})
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
