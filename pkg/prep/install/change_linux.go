// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

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

// Present are those of some packages that are on the host, in the versions that it has.
func (s Stage) Present(ctx context.Context, all []packages.Package) ([]packages.Package, error) {
	if len(all) == 0 {
		return nil, nil
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	whole, broken, err := s.installed(ctx, names)
	return append(whole, broken...), err
}

// Remove takes packages off the host that Install has brought, with their configuration. It
// returns why some stay: another version is there by now, or something else needs them.
func (s Stage) Remove(ctx context.Context, all []packages.Package) (kept string, err error) {
	there, err := s.Present(ctx, all)
	if err != nil {
		return "", err
	}
	var gone, changed []string
	for _, p := range there {
		if slices.Contains(all, p) {
			gone = append(gone, p.Name)
		} else {
			changed = append(changed, p.Name+" is "+p.Version+" by now")
		}
	}
	if len(gone) > 0 {
		if at, err := s.mountInTheWay(); err != nil || at != "" {
			return "something is mounted at " + at + ", which would be deleted with what they have kept: unmount it first", err
		}
		if others, err := s.needing(ctx, gone); err != nil || len(others) > 0 {
			return "they are needed by " + lines(others), err
		}
		if _, err := s.run(context.WithoutCancel(ctx), "remove packages", packages.Purge(false, gone...)); err != nil {
			return "", err
		}
	}
	return strings.Join(changed, ", "), nil
}

// mountInTheWay is packages.Endangered of this host's mounts.
func (s Stage) mountInTheWay() (string, error) {
	mounts, err := s.Local.Mounts()
	if err != nil {
		return "", err
	}
	var paths []string
	for _, m := range mounts {
		paths = append(paths, m.Path)
	}
	return packages.Endangered(paths), nil
}

// needing are other packages that would go along.
func (s Stage) needing(ctx context.Context, gone []string) (others []string, err error) {
	said, err := s.run(ctx, "make a dry run of the removal", packages.Purge(true, gone...))
	if err != nil {
		return nil, err
	}
	for _, name := range packages.ReadTransaction(said).Removed {
		if !slices.Contains(gone, name) {
			others = append(others, name)
		}
	}
	return others, nil
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
