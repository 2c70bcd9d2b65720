// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"crypto/md5" //nolint:gosec // the checksum that dpkg keeps of a file
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// States says what the host has of some packages. One that is not known makes dpkg-query
// end badly.
func (s Stage) States(ctx context.Context, names ...string) (packages.States, error) {
	said, err := s.query(ctx, packages.Installed(names...))
	if err != nil {
		return packages.States{}, fmt.Errorf("ask which packages are installed: %w", err)
	}
	return packages.ReadInstalled(said), nil
}

// query asks dpkg-query, which ends badly where it does not know one of several packages.
func (s Stage) query(ctx context.Context, c packages.Command) (string, error) {
	said, err := s.Local.Run(ctx, host.Command{Name: c.Args[0], Args: c.Args[1:], Timeout: c.Limit, Most: mostSaid})
	var bad *host.CommandError
	if err != nil && (!errors.As(err, &bad) || !strings.Contains(said, "no packages found matching")) {
		return "", err
	}
	return said, nil
}

// Brought is what Install has brought, and what was there before.
type Brought struct {
	Packages []packages.Package
	// Older are the names of those whose configuration was there before them.
	Older []string
	// Held are the names of packages that this program holds.
	Held []string
}

// Remove takes packages off the host that Install has brought. Their configuration goes too,
// unless it was there before, or differs from what the packages brought. It returns what
// stays on purpose. What keeps all of them, and a person can clear, is an error.
func (s Stage) Remove(ctx context.Context, b Brought) (kept string, err error) {
	if len(b.Packages) == 0 {
		return "", nil
	}
	states, err := s.States(ctx, names(b.Packages)...)
	if err != nil {
		return "", err
	}
	var gone, stays []string
	for _, p := range states.There() {
		if slices.Contains(b.Packages, p) {
			gone = append(gone, p.Name)
		} else {
			stays = append(stays, p.Name+" is "+p.Version+" by now")
		}
	}
	ours := slices.DeleteFunc(states.Configured, func(p packages.Package) bool { return !slices.Contains(b.Packages, p) })
	if len(gone)+len(ours) == 0 {
		return lines(stays), nil
	}
	if err := s.free(ctx, gone, b.Held); err != nil {
		return "", err
	}
	conf, err := s.configuration(ctx, append(names(ours), gone...), b.Older)
	if err != nil {
		return "", err
	}
	if len(gone) > 0 {
		if _, err := s.run(context.WithoutCancel(ctx), "remove packages", packages.Remove(false, gone...)); err != nil {
			return "", err
		}
	}
	if err := s.purge(ctx, b, conf.person); err != nil {
		return "", err
	}
	return lines(append(stays, conf.stay...)), nil
}

// purge takes the configuration of removed packages away, but of those that a person has
// configured.
func (s Stage) purge(ctx context.Context, b Brought, person []string) error {
	now, err := s.States(ctx, names(b.Packages)...)
	if err != nil {
		return err
	}
	var left []string
	for _, p := range now.Configured {
		if slices.Contains(b.Packages, p) && !slices.Contains(person, p.Name) {
			left = append(left, p.Name)
		}
	}
	if len(left) == 0 {
		return nil
	}
	_, err = s.run(context.WithoutCancel(ctx), "remove the configuration of packages", packages.Purge(left...))
	return err
}

// free says what keeps packages from being removed, until a person has cleared it.
func (s Stage) free(ctx context.Context, gone, ours []string) error {
	at, err := s.mountInTheWay()
	switch {
	case err != nil:
		return err
	case at != "":
		return fmt.Errorf("something is mounted at %s, which would be deleted with what the packages have kept: unmount it first", at)
	case len(gone) == 0:
		return nil
	}
	held, err := s.Held(ctx, gone)
	if err != nil {
		return err
	}
	if held = slices.DeleteFunc(held, func(name string) bool { return slices.Contains(ours, name) }); len(held) > 0 {
		return fmt.Errorf("held on this host: %s: release them first: %s", lines(held),
			text.Command(append([]string{"apt-mark", "unhold"}, held...)...))
	}
	others, err := s.needing(ctx, gone)
	if err == nil && len(others) > 0 {
		err = fmt.Errorf("they are needed by %s: remove that first", lines(others))
	}
	return err
}

// configured is what a person has configured of packages.
type configured struct {
	// person are the packages, stay what is said of their files.
	person, stay []string
}

// configuration finds what a person has configured of packages: what is older than they are,
// and what is another than they brought.
func (s Stage) configuration(ctx context.Context, all, older []string) (c configured, err error) {
	said, err := s.query(ctx, packages.Conffiles(all...))
	if err != nil {
		return c, fmt.Errorf("ask for the configuration of packages: %w", err)
	}
	files, why := map[string][]string{}, map[string]string{}
	for _, f := range packages.ReadConffiles(said) {
		same, there := s.asBrought(f)
		switch {
		case !there:
			continue
		case slices.Contains(older, f.Package):
			why[f.Package] = "it was there before"
		case !same:
			why[f.Package] = "it was changed since"
		default:
			continue
		}
		files[f.Package] = append(files[f.Package], f.Path)
	}
	for _, name := range all {
		switch {
		case why[name] != "":
			c.stay = append(c.stay, fmt.Sprintf("the configuration of %s stays, since %s: %s", name, why[name], text.Some(files[name])))
		case slices.Contains(older, name): // it has none that is named: what there is, its own scripts know
			c.stay = append(c.stay, fmt.Sprintf("the configuration of %s stays, since it was there before", name))
		default:
			continue
		}
		c.person = append(c.person, name)
	}
	return c, nil
}

// mostOfConffile bounds a file of configuration; a larger one counts as changed.
const mostOfConffile = 16 << 20

// asBrought reports whether a file of configuration is there, and is what its package brought.
// One that cannot be read counts as changed, as does a link.
func (s Stage) asBrought(f packages.Conffile) (same, there bool) {
	raw, err := host.ReadPlain(s.Local.Path(f.Path), mostOfConffile)
	if errors.Is(err, fs.ErrNotExist) {
		return true, false
	}
	sum := md5.Sum(raw) //nolint:gosec // the checksum that dpkg keeps of a file
	return err == nil && hex.EncodeToString(sum[:]) == f.MD5, true
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
	said, err := s.run(ctx, "make a dry run of the removal", packages.Remove(true, gone...))
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

// names are those of packages.
func names(all []packages.Package) (out []string) {
	for _, p := range all {
		out = append(out, p.Name)
	}
	return out
}
