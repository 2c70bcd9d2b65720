// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Sets are the ip sets.
func (t Filter) Sets() part.Part {
	return part.Part{
		ID: "ipsets", Kind: inventory.KindIPSet, Look: t.lookSets,
		Take: func(ctx context.Context, report plan.Report) error {
			s, err := t.lookSets(ctx)
			if err != nil {
				return err
			}
			for _, it := range s.Goes() {
				if err := netfilter.DestroyIPSet(it.Name); err != nil {
					return err
				}
				report("destroyed ip set %s", it.Name)
			}
			return part.Left(ctx, t.lookSets)
		},
	}
}

func (t Filter) lookSets(ctx context.Context) (part.Findings, error) {
	var s part.Findings
	names, err := netfilter.IPSets()
	owners := map[string]inventory.Owner{}
	perhaps := map[string]inventory.Owner{}
	known := ownership.Sets()
	for _, name := range names {
		owners[name], perhaps[name] = known.Decide(name, t.Second)
	}
	used := t.usedSets(ctx, &s, slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return owners[name] == inventory.Foreign || !t.Scope.Takes(owners[name])
	}))
	for _, name := range names {
		it := inventory.Item{Kind: inventory.KindIPSet, Name: name, Owner: owners[name], Fate: inventory.Goes}
		switch by := used[name]; {
		case perhaps[name] != inventory.Foreign && t.Scope.Takes(perhaps[name]):
			it.Fate, it.Why = inventory.Stays, ownership.PerhapsWhy(perhaps[name])
			it.Refers = it.Why
		case it.Owner == inventory.Foreign:
			it.Fate, it.Why = inventory.Stays, "not named as Kubernetes or a pod network names its sets"
		case by != "":
			it.Fate, it.Why, it.Refers = inventory.Stays, "the kernel keeps a set that a rule uses", by
		}
		s.Add(t.Choices.KeepRules(t.Scope.Spare([]inventory.Item{it}))...)
	}
	return s, err
}

// usedSets are the sets of ours that foreign rules use, and which rule does: it is not
// ours to delete, and as long as it is there, so is the set.
func (t Filter) usedSets(ctx context.Context, s *part.Findings, ours []string) map[string]string {
	if len(ours) == 0 {
		return nil
	}
	numbers, err := netfilter.IPSetNumbers(ours)
	if err != nil { // an old kernel, which says it when the set is to be destroyed
		numbers = nil
	}
	used := map[string]string{}
	by := t.filterSigns()
	for _, table := range (&reader{Local: t.Local}).tables(ctx, s) {
		divideAs(t.Choices, table, by).usesOf(ours, numbers, used)
	}
	return used
}
