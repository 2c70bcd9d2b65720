// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

// Install installs what the stage holds: these very packages. A connection that breaks off
// does not stop it in the middle. With resumed, what an earlier one has left in the middle
// is finished first.
func (s Stage) Install(ctx context.Context, all []packages.Package, resumed bool) error {
	ctx = context.WithoutCancel(ctx)
	staged := packages.Staged{Dir: s.Local.Path(s.Dir)}
	var targets []string
	files, err := filepath.Glob(staged.File("*"))
	if err != nil {
		return err
	}
	if len(files) > 0 {
		staged.Files, targets = true, files
	} else {
		for _, p := range all {
			targets = append(targets, p.String())
		}
	}
	_, err = s.run(ctx, "install", staged.Install(targets...))
	if errors.Is(err, packages.ErrUnfinished) && resumed {
		if _, err := s.run(ctx, "finish an earlier installation", packages.Finish()); err != nil {
			return err
		}
		_, err = s.run(ctx, "install", staged.Install(targets...))
	}
	if err != nil {
		return plan.Begun(err) // a part of it may be there
	}
	return nil
}

// Held are those of some packages that are held.
func (s Stage) Held(ctx context.Context, names []string) (held []string, err error) {
	said, err := s.run(ctx, "ask which packages are held", packages.Held())
	for _, name := range packages.ReadNames(said) {
		if slices.Contains(names, name) {
			held = append(held, name)
		}
	}
	return held, err
}

// Hold keeps packages from upgrades.
func (s Stage) Hold(ctx context.Context, names []string) error {
	_, err := s.run(ctx, "hold packages", packages.Hold(names...))
	return err
}

// Release lets packages be upgraded again.
func (s Stage) Release(ctx context.Context, names []string) error {
	_, err := s.run(ctx, "release packages", packages.Release(names...))
	return err
}
