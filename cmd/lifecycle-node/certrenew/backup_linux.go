// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

const (
	configDir = "/etc/kubernetes"
	// mostFiles and mostOfFile bound what is backed up.
	mostFiles  = 500
	mostOfFile = 4 << 20
)

// backup is two copies of the certificates: far is kept for a person, near is on the same
// file system and becomes the files again by being renamed, which takes no room on a disk
// that is full by then.
type backup struct {
	h         host.Local
	far, near string
	files     []saved
}

// saved is one file.
type saved struct {
	path     string
	mode     fs.FileMode
	uid, gid int
}

// save copies the directory of certificates and the kubeconfigs beside it, for root alone,
// and reads each copy again.
func save(h host.Local, dir string, now time.Time) (*backup, error) {
	stamp := now.UTC().Format("20060102T150405Z")
	b := &backup{h: h, far: inventory.BackupDir + "/certs-" + stamp, near: dir + "/.kubectl-lifecycle-" + stamp}
	if err := b.collect(dir); err != nil {
		return nil, err
	}
	for _, into := range []string{b.near, b.far} {
		if err := b.copyTo(into); err != nil {
			return nil, errors.Join(err, os.RemoveAll(h.Path(into)), b.drop())
		}
	}
	return b, nil
}

// collect finds what is copied: regular files; a link stays what it is.
func (b *backup) collect(dir string) error {
	confs, err := filepath.Glob(b.h.Path(configDir) + "/*.conf")
	if err != nil {
		return err
	}
	for _, conf := range confs {
		if err := b.add(conf); err != nil {
			return err
		}
	}
	return filepath.WalkDir(b.h.Path(dir), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".kubectl-lifecycle-"):
			return fs.SkipDir // what a killed renewal has left
		case entry.IsDir():
			return nil
		}
		return b.add(path)
	})
}

func (b *backup) add(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if len(b.files) == mostFiles {
		return fmt.Errorf("there are more than %d files", mostFiles)
	}
	s := saved{path: path, mode: info.Mode().Perm()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		s.uid, s.gid = int(stat.Uid), int(stat.Gid)
	}
	b.files = append(b.files, s)
	return nil
}

// copyTo makes one copy of all files, each with its mode and owner.
func (b *backup) copyTo(dir string) error {
	for _, f := range b.files {
		raw, err := host.ReadPlain(f.path, mostOfFile)
		if err != nil {
			return err
		}
		to := b.in(dir, f)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, raw, 0o600); err != nil {
			return err
		}
		if err := errors.Join(os.Chown(to, f.uid, f.gid), os.Chmod(to, f.mode)); err != nil {
			return err
		}
		if again, err := host.ReadPlain(to, mostOfFile); err != nil || !bytes.Equal(raw, again) {
			return errors.Join(fmt.Errorf("the copy of %s is not what was written", f.path), err)
		}
	}
	return host.SyncDir(b.h.Path(dir))
}

// in is where the copy of a file is.
func (b *backup) in(dir string, f saved) string {
	return filepath.Join(b.h.Path(dir), strings.TrimPrefix(f.path, b.h.Path("/")))
}

// restore makes the near copies the files again where these are others now. What was not
// changed keeps its time, so that no program is restarted for it; what was changed gets
// a new one, since a program may have read it.
func (b *backup) restore() error {
	var errs []error
	for _, f := range b.files {
		kept := b.in(b.near, f)
		if same(kept, f.path) {
			continue
		}
		now := time.Now()
		if err := errors.Join(os.Chtimes(kept, now, now), os.Rename(kept, f.path)); err != nil {
			errs = append(errs, fmt.Errorf("put %s back: %w", f.path, err))
		}
	}
	return errors.Join(errs...)
}

// same reports whether a file is what its copy is.
func same(kept, path string) bool {
	was, err := host.ReadPlain(kept, mostOfFile)
	if err != nil {
		return false
	}
	is, err := host.ReadPlain(path, mostOfFile)
	return err == nil && bytes.Equal(was, is)
}

// drop deletes the near copy.
func (b *backup) drop() error { return os.RemoveAll(b.h.Path(b.near)) }
