// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"errors"
	"slices"
	"time"

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
			if err := destroy(ctx, s.Goes(), report); err != nil {
				return err
			}
			return part.Left(ctx, t.lookSets)
		},
	}
}

const (
	// letsGo is how long the kernel may hold an ip set after the rule is deleted that used
	// it: it frees what an nft rule had a moment later (nf_tables_trans_destroy_work).
	letsGo  = 3 * time.Second
	goEvery = 50 * time.Millisecond
)

// destroy destroys ip sets, none of which anything holds that stays: a list of sets before
// those that are in it. Nothing is emptied before it goes.
func destroy(ctx context.Context, sets []inventory.Item, report plan.Report) error {
	limit := time.After(letsGo)
	for said := false; len(sets) > 0; {
		var held []inventory.Item
		for _, it := range sets {
			switch err := netfilter.DestroyIPSet(it.Name); {
			case errors.Is(err, netfilter.ErrInUse):
				held = append(held, it)
			case err != nil:
				return err
			default:
				report("destroyed ip set %s", it.Name)
			}
		}
		if len(held) == len(sets) {
			if !said {
				report("waiting up to %s for the kernel to release ip set %s", letsGo, held[0].Name)
				said = true
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-limit: // a second look says by what they are held
				return nil
			case <-time.After(goEvery):
			}
		}
		sets = held
	}
	return nil
}

func (t Filter) lookSets(ctx context.Context) (part.Findings, error) {
	var s part.Findings
	sets, err := netfilter.HeldIPSets()
	var names []string
	for _, set := range sets {
		names = append(names, set.Name)
	}
	owners := map[string]inventory.Owner{}
	perhaps := map[string]inventory.Owner{}
	known := ownership.Sets()
	for _, name := range names {
		owners[name], perhaps[name] = known.Decide(name, t.Second)
	}
	used := t.usedSets(ctx, &s, sets, slices.DeleteFunc(slices.Clone(names), func(name string) bool {
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
			it.Fate, it.Why, it.Refers = inventory.Stays, "the kernel keeps a set that something uses", by
		}
		s.Add(t.Choices.KeepRules(t.Scope.Spare([]inventory.Item{it}))...)
	}
	return s, err
}

// usedSets are the sets of ours that something holds which stays, and what that is.
func (t Filter) usedSets(ctx context.Context, s *part.Findings, sets []netfilter.IPSet, ours []string) map[string]string {
	if len(ours) == 0 {
		return nil
	}
	use := setUse{by: map[string]string{}, count: map[string]uint32{}}
	if numbers, err := netfilter.IPSetNumbers(ours); err == nil { // an old kernel says it when the set is to be destroyed
		use.numbers = numbers
	}
	by, missed := t.filterSigns(), len(s.Unchecked)
	for _, table := range (&reader{Local: t.Local}).tables(ctx, s) {
		divideAs(t.Choices, table, by).usesOf(use)
	}
	if len(s.Unchecked) > missed {
		use.numbers = nil // there may be rules that were not seen
	}
	for limit := time.Now().Add(letsGo); ; {
		held, unseen := use.holders(sets, ours)
		if !unseen || time.Now().After(limit) || ctx.Err() != nil {
			return held
		}
		select { // it may be a rule that has just gone
		case <-ctx.Done():
		case <-time.After(goEvery):
		}
		if now, err := netfilter.HeldIPSets(); err == nil {
			sets = now
		}
	}
}
