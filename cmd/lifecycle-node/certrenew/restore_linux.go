// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// restore makes the files what they were, where they are others now, and proves that they
// are. What was not changed keeps its time, so that no program is restarted for it; what
// was changed gets a new one, since a program may have read it, unless it is one of those that
// are unread: their programs run with the earlier file. The certificates that are named last
// stay as they are.
func (b *backup) restore(unread []string, stay ...string) error {
	var errs []error
	for _, f := range b.Files {
		if slices.Contains(stay, f.Name) {
			continue
		}
		if !slices.Contains(unread, f.Name) {
			f.Time = time.Now()
		}
		err := b.putBack(f)
		if err == nil {
			err = b.isBack(f)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("put %s back: %w", f.Path, err))
		}
	}
	return errors.Join(errs...)
}

func (b *backup) putBack(f saved) error {
	real, near := b.h.Path(f.Real), b.h.Path(f.Near)
	is, err := sum(real)
	switch {
	case f.Sum == "" && errors.Is(err, fs.ErrNotExist), err == nil && is == f.Sum:
		return nil
	case b.resumed:
		if err := b.spare(f); err != nil {
			return fmt.Errorf("keep what is there: %w", err)
		}
	}
	if f.Sum == "" {
		return errors.Join(os.Remove(real), host.SyncDir(filepath.Dir(real)))
	}
	kept, err := sum(near)
	if err == nil && kept == f.Sum && os.Chtimes(near, f.Time, f.Time) == nil && os.Rename(near, real) == nil {
		return host.SyncDir(filepath.Dir(real))
	}
	// A file that something is mounted on is not replaced, and a copy may be damaged.
	for _, from := range []string{near, b.h.Path(filepath.Join(b.Far, f.Path))} {
		raw, err := host.ReadPlain(from, mostOfFile)
		if err == nil && sumOf(raw) == f.Sum {
			return f.write(real, raw, os.O_TRUNC)
		}
	}
	return errors.New("no copy of it is whole")
}

// replaced is the directory in a backup of what was in the place of a file that was put back.
const replaced = "replaced"

// spare keeps what is in the place of a file that is put back. After an interruption that may
// be a person's; in the renewal itself it is kubeadm's, and a full disk must not be in the way.
func (b *backup) spare(f saved) error {
	raw, err := host.ReadPlain(b.h.Path(f.Real), mostOfFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.Sum, f.Mode, f.UID, f.GID, f.Time = sumOf(raw), 0o600, os.Getuid(), os.Getgid(), time.Time{}
	kept := b.h.Path(filepath.Join(b.Far, replaced, f.Path))
	if err := host.MakeDir(filepath.Dir(kept), 0o700); err != nil {
		return err
	}
	name := kept
	for n := 2; ; n++ {
		is, err := sum(name)
		switch {
		case err == nil && is == f.Sum:
			return nil
		case errors.Is(err, fs.ErrNotExist):
			if err := f.write(name, raw, os.O_EXCL); err != nil {
				return errors.Join(err, os.Remove(name))
			}
			return nil
		}
		name = fmt.Sprintf("%s.%d", kept, n)
	}
}

// isBack proves that a path leads to what it led to.
func (b *backup) isBack(f saved) error {
	if f.Sum == "" {
		return nil
	}
	real, err := b.h.Real(f.Path)
	if err != nil {
		return err
	}
	if got, err := sum(b.h.Path(real)); err != nil || got != f.Sum {
		return errors.Join(errors.New("it is not what it was"), err)
	}
	return nil
}

// keep puts what kubeadm has written onto the disk: it does not do so itself.
func (b *backup) keep() error {
	var errs []error
	for _, f := range b.Files {
		file, err := os.OpenFile(b.h.Path(f.Real), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = errors.Join(file.Sync(), file.Close(), host.SyncDir(filepath.Dir(b.h.Path(f.Real))))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// drop ends it: the journal goes first, then the copies beside the files.
func (b *backup) drop() error {
	if err := os.Remove(b.h.Path(b.at)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	errs := []error{host.SyncDir(filepath.Dir(b.h.Path(b.at)))}
	for _, f := range b.Files {
		if err := os.Remove(b.h.Path(f.Near)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// before is what the certificates were, as the copies have them.
func (b *backup) before() (look certs.Look) {
	for _, f := range b.Files {
		for _, from := range []string{b.h.Path(f.Near), b.h.Path(filepath.Join(b.Far, f.Path)), b.h.Path(f.Real)} {
			raw, err := host.ReadPlain(from, mostOfFile)
			if err != nil || sumOf(raw) != f.Sum {
				continue
			}
			if row, is := certs.Kept(f.Name, f.Path, raw); is {
				look.Rows = append(look.Rows, row)
			}
			break
		}
	}
	return look
}

// unfinished is the backup of a renewal that was killed; nil if there is none.
func unfinished(h host.Local, dir string) (*backup, error) {
	real, err := h.Real(dir)
	if err != nil {
		return nil, err
	}
	b := &backup{h: h, resumed: true}
	at := filepath.Join(real, certs.RenewalJournal)
	raw, err := host.ReadPlain(h.Path(at), mostOfJournal)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &b.journal)
	}
	for _, f := range b.Files {
		if err == nil && (!slices.Contains(certs.RenewedFiles(dir, f.Name), f.Path) || filepath.Dir(f.Near) != filepath.Dir(f.Real) ||
			!strings.HasPrefix(filepath.Base(f.Near), inventory.RenewalMark)) {
			err = fmt.Errorf("it speaks of %q", f.Path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s, which a renewal has left: %w", at, err)
	}
	b.at = at
	return b, nil
}

// sweep deletes the copies of a backup that was not finished: nothing was changed then.
func sweep(h host.Local, dir string) error {
	patterns := map[string]bool{inventory.UnfinishedRenewalBackups + "*": true}
	for _, name := range certs.Renewable() {
		for _, path := range certs.RenewedFiles(dir, name) {
			if real, err := h.Real(filepath.Dir(path)); err == nil {
				patterns[filepath.Join(real, inventory.RenewalMark+"*")] = true
			}
			if real, err := h.Real(path); err == nil { // it may be a link into another directory
				patterns[filepath.Join(filepath.Dir(real), inventory.RenewalMark+"*")] = true
			}
		}
	}
	var errs []error
	for pattern := range patterns {
		found, err := filepath.Glob(h.Path(pattern))
		errs = append(errs, err)
		for _, path := range found {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}
