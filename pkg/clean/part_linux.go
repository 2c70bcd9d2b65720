// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// part is one sort of leftovers: how to look for it and how to take it away.
// Parts know nothing of each other; their order in parts is the order of a
// removal, and it is binding.
type part struct {
	// id and title are the step's.
	id, title string
	// kind is what an error of look is about.
	kind inventory.Kind
	// look finds the things of this part; it only reads.
	look func(ctx context.Context) (sight, error)
	// needed says whether there is work, if that is more than "something
	// goes"; nil means just that.
	needed func(ctx context.Context) (bool, error)
	// take takes away everything that look finds and that goes, and nothing
	// else. It is idempotent, and returns an error unless all of it is gone.
	take func(ctx context.Context, report plan.Report) error
	// begin starts to look ahead, while the kernel unmounts, which takes it about as
	// long; nil if a part is read at once.
	begin func(ctx context.Context)
	// vital parts must be read before anything after them may be touched: as
	// long as nobody knows what is mounted, nothing is deleted.
	vital bool
}

// sight is what a part sees: things, and what it could not see.
type sight struct {
	items     []inventory.Item
	unchecked []inventory.Unchecked
}

func (s *sight) add(items ...inventory.Item) { s.items = append(s.items, items...) }

// missed notes something that could not be read; nil is no miss.
func (s *sight) missed(kind inventory.Kind, what string, err error) {
	if err != nil {
		s.unchecked = append(s.unchecked, inventory.Unchecked{Kind: kind, What: what, Why: err.Error()})
	}
}

// goes are the things of a sight that a removal takes away.
func (s sight) goes() []inventory.Item { return inventory.Inventory{Items: s.items}.Ours() }

// step makes a part a step of a plan.
func (p part) step() plan.Step {
	needed := p.needed
	if needed == nil {
		needed = func(ctx context.Context) (bool, error) {
			s, err := p.look(ctx)
			if err == nil && p.vital && len(s.unchecked) > 0 {
				err = fmt.Errorf("%s: %s", s.unchecked[0].What, s.unchecked[0].Why)
			}
			return len(s.goes()) > 0, err
		}
	}
	return plan.Step{ID: p.id, Title: p.title, Needed: needed, Do: p.take}
}

// left is the error of a step after which something is still there.
func left(ctx context.Context, look func(context.Context) (sight, error)) error {
	s, err := look(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, it := range s.goes() {
		errs = append(errs, fmt.Errorf("%s is still there", it))
	}
	return summary(errs)
}

// summary joins errors, at most five of them.
func summary(errs []error) error {
	const most = 5
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if more := len(errs) - most; more > 0 {
		errs = append(errs[:most:most], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}
