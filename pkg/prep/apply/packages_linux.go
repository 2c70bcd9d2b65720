// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/install"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

// packages is what brings and removes packages on this host.
func (h Host) packages() install.Stage {
	s := h.Packages
	s.Local = h.Local
	if s.Say == nil {
		s.Say = func(string, ...any) {}
	}
	return s
}

// lookAtPackages reads which packages of a change are there, or held.
func (h Host) lookAtPackages(ctx context.Context, c prep.Change) (s state, made bool, err error) {
	if c.Kind == prep.HoldPackages {
		names := strings.Fields(c.Content)
		held, err := h.packages().Held(ctx, names)
		s.Content = strings.Join(held, " ")
		return s, err == nil && len(held) == len(names), err
	}
	var names []string
	for _, p := range packages.Parse(c.Content) {
		names = append(names, p.Name)
	}
	states, err := h.packages().States(ctx, names...)
	if err != nil {
		return s, false, err
	}
	s.Content, s.Configured = packages.Format(states.There()), packages.Format(states.Configured)
	s.There, err = h.begun(c.Kind)
	return s, false, err // what is there may be there in part
}

// begun reports whether the ledger holds a change of a kind.
func (h Host) begun(kind prep.Kind) (bool, error) {
	all, err := h.entries()
	return slices.ContainsFunc(all, func(e entry) bool { return e.Change.Kind == kind }), err
}

// unpack takes packages off the host again, or releases those that this has held.
func (h Host) unpack(ctx context.Context, e entry) error {
	if e.Change.Kind == prep.HoldPackages {
		before := strings.Fields(e.Before.Content)
		now, err := h.packages().Held(ctx, strings.Fields(e.Change.Content))
		now = slices.DeleteFunc(now, func(name string) bool { return slices.Contains(before, name) })
		if err != nil || len(now) == 0 {
			return err
		}
		return h.packages().Release(ctx, now)
	}
	held, err := h.held()
	if err != nil {
		return err
	}
	brought := install.Brought{Packages: e.brought(), Held: held}
	for _, p := range packages.Parse(e.Before.Configured) {
		brought.Older = append(brought.Older, p.Name)
	}
	kept, err := h.packages().Remove(ctx, brought)
	if err == nil && kept != "" {
		return &leftAlone{kept}
	}
	return err
}

// brought are the packages of an installation that were not there before.
func (e entry) brought() []packages.Package {
	before := packages.Parse(e.Before.Content)
	return slices.DeleteFunc(packages.Parse(e.Change.Content), func(p packages.Package) bool {
		return slices.ContainsFunc(before, func(q packages.Package) bool { return q.Name == p.Name })
	})
}

// Brought are the packages that the ledger says were brought.
func (h Host) Brought() (brought []packages.Package, err error) {
	all, err := h.entries()
	for _, e := range all {
		if e.Change.Kind == prep.InstallPackages {
			brought = append(brought, e.brought()...)
		}
	}
	return brought, err
}

// held are the packages that the ledger says are held by this program.
func (h Host) held() (names []string, err error) {
	all, err := h.entries()
	for _, e := range all {
		if e.Change.Kind == prep.HoldPackages {
			before := strings.Fields(e.Before.Content)
			names = append(names, slices.DeleteFunc(strings.Fields(e.Change.Content), func(name string) bool {
				return slices.Contains(before, name)
			})...)
		}
	}
	return names, err
}
