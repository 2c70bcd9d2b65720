// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

// addRepo brings the repository's key and index into the stage.
func (r *rehearsal) addRepo(ctx context.Context) error {
	source := packages.SourceOf(packages.Apt, r.order)
	if err := r.unknown(source); err != nil {
		return err
	}
	if err := os.WriteFile(r.staged.ListFile(), []byte(source.List(packages.Apt, r.staged.KeyFile())), 0o644); err != nil {
		return err
	}
	if err := r.others(); err != nil {
		return err
	}
	r.Say("reading %s", source.URL)
	fetched := r.staged.Dir + "/fetched"
	if _, err := r.run(ctx, "fetch "+source.KeyURL, r.staged.Fetch(source.KeyURL, fetched)); err != nil {
		return err
	}
	raw, err := host.ReadPlain(fetched, packages.MostOfKey)
	if err != nil {
		return err
	}
	keys, err := packages.ReadKeys(raw)
	if err != nil {
		return plan.Refuse(fmt.Errorf("what is at %s is no key: %w", source.KeyURL, err), "does something stand between (a proxy, a portal)? "+
			"Else name the repository: --repo URL")
	}
	trust, err := packages.Trust(r.order, keys, time.Now())
	if err != nil {
		return err
	}
	r.plan.Source, r.plan.Key, r.plan.Trust = source, keys.Armored, trust
	if err := os.WriteFile(r.staged.KeyFile(), []byte(keys.Armored), 0o644); err != nil {
		return err
	}
	said, err := r.run(ctx, "read "+source.URL, r.staged.Update(true))
	if err == nil && packages.Failed(said) {
		err = packages.Explain("read "+source.URL, said, nil)
	}
	if err != nil {
		return err
	}
	return r.remember(source)
}

// unknown refuses a repository that the host has already in a file of a person's: apt takes
// no second key for it.
func (r *rehearsal) unknown(source packages.Source) error {
	parts, err := filepath.Glob(r.Local.Path("/etc/apt/sources.list.d/*"))
	if err != nil {
		return err
	}
	for _, file := range append(parts, r.Local.Path("/etc/apt/sources.list")) {
		if filepath.Base(file) == filepath.Base(source.ListFile) {
			continue
		}
		raw, err := host.ReadPlain(file, 1<<20)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(raw)) {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") && strings.Contains(line, strings.TrimSuffix(source.URL, "/")) {
				return plan.Refuse(fmt.Errorf("this host has %s already, in %s", source.URL, file),
					"install with it by hand (apt-get install kubeadm kubelet), or take that file away first")
			}
		}
	}
	return nil
}

// others has the host's own repositories, and what it knows of them, count in the stage.
func (r *rehearsal) others() error {
	for from, to := range map[string]string{"/etc/apt/sources.list.d": r.staged.Parts(), "/var/lib/apt/lists": r.staged.Lists()} {
		entries, err := os.ReadDir(r.Local.Path(from))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			at := filepath.Join(to, e.Name())
			if !e.Type().IsRegular() && e.Type()&fs.ModeSymlink == 0 || e.Name() == "lock" || at == r.staged.ListFile() {
				continue
			}
			if err := os.Symlink(r.Local.Path(filepath.Join(from, e.Name())), at); err != nil {
				return err
			}
		}
	}
	return nil
}

// remember reads what files of the repository the host has of an earlier run.
func (r *rehearsal) remember(source packages.Source) error {
	r.plan.Was = map[string]string{}
	for _, path := range []string{source.KeyFile, source.ListFile} {
		raw, err := host.ReadPlain(r.Local.Path(path), packages.MostOfKey)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		r.plan.Was[path] = string(raw)
	}
	return nil
}
