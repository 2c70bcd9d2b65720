// SPDX-License-Identifier: Apache-2.0

package part

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Part is one sort of leftovers: how to look for it and how to take it away.
// Parts know nothing of each other; their order in parts is the order of a
// removal, and it is binding.
type Part struct {
	// id and title are the step's.
	ID, Title string
	// kind is what an error of look is about.
	Kind inventory.Kind
	// look finds the things of this part; it only reads.
	Look func(ctx context.Context) (Findings, error)
	// needed says whether there is work, if that is more than "something
	// goes"; nil means just that.
	Needed func(ctx context.Context) (bool, error)
	// take takes away everything that look finds and that goes, and nothing
	// else. It is idempotent, and returns an error unless all of it is gone.
	Take func(ctx context.Context, report plan.Report) error
	// begin starts to look ahead, while the kernel unmounts, which takes it about as
	// long; nil if a part is read at once.
	Begin func(ctx context.Context)
	// vital parts must be read before anything after them may be touched: as
	// long as it is not known what is mounted, nothing is deleted.
	Vital bool
}

// Findings is what a part sees: things, and what it could not see.
type Findings struct {
	Items     []inventory.Item
	Unchecked []inventory.Unchecked
}

// Add adds things that were found.
func (s *Findings) Add(items ...inventory.Item) { s.Items = append(s.Items, items...) }

// Missed notes something that could not be read; nil is no miss.
func (s *Findings) Missed(kind inventory.Kind, what string, err error) {
	if err != nil {
		s.Unchecked = append(s.Unchecked, inventory.Unchecked{Kind: kind, What: what, Why: err.Error()})
	}
}

// NotLookedAt names what a look has left out: for its bounds, or since it may not be read.
// Nothing that is provably ours is there; whether something refers to the cluster cannot
// be told, and the verdict is not clean. It is the one way in which a bound is said.
func (s *Findings) NotLookedAt(kind inventory.Kind, what, why string) {
	it := inventory.Item{
		Kind: kind, Name: what, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "not looked at", Refers: inventory.NotLookedAt + why,
	}
	if !slices.ContainsFunc(s.Items, func(o inventory.Item) bool { return o.Key() == it.Key() && o.Refers != "" }) {
		s.Add(it)
	}
}

// MoreNotLookedAt names those that are too many to name ("more mounts"), and how many they are.
// Their number is no part of the name: it may be another one at the next look.
func (s *Findings) MoreNotLookedAt(kind inventory.Kind, what string, n int) {
	if n > 0 {
		s.NotLookedAt(kind, what, fmt.Sprintf("there are %d of them, of the same kind as those that are named", n))
		s.Items[len(s.Items)-1].Count = n
	}
}

// More says how many more things there are of which the same is to be said, without a name each.
func (s *Findings) More(it inventory.Item, n int, what, refers string) {
	if n > 0 {
		it.Name, it.In, it.Detail, it.Digest, it.Count = what, "", "", "", n
		it.Refers = fmt.Sprintf("%d of them: %s", n, refers)
		s.Add(it)
	}
}

// Goes are the things of a sight that a removal takes away.
func (s Findings) Goes() []inventory.Item { return inventory.Inventory{Items: s.Items}.Ours() }

// Step makes a part a step of a plan.
func (p Part) Step() plan.Step {
	needed := p.Needed
	if needed == nil {
		needed = func(ctx context.Context) (bool, error) {
			s, err := p.Look(ctx)
			if err == nil && p.Vital && len(s.Unchecked) > 0 {
				err = fmt.Errorf("%s: %s", s.Unchecked[0].What, s.Unchecked[0].Why)
			}
			return len(s.Goes()) > 0, err
		}
	}
	return plan.Step{ID: p.ID, Title: p.Title, Needed: needed, Do: p.Take}
}

// Left is the error of a step after which something is still there. A directory that goes
// if it is empty is none: what made it again still runs, and would do so for ever.
func Left(ctx context.Context, look func(context.Context) (Findings, error)) error {
	s, err := look(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, it := range s.Goes() {
		if it.Manner == inventory.IfEmpty {
			continue
		}
		errs = append(errs, fmt.Errorf("%s is still there", it))
	}
	return Summary(errs)
}

// Summary joins errors, at most five of them.
func Summary(errs []error) error {
	const most = 5
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if more := len(errs) - most; more > 0 {
		errs = append(errs[:most:most], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}
