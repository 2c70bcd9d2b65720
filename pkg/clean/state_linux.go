// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// joinedFile is where a removal writes down when the host had joined: the
// files that tell are gone when a removal is resumed.
const joinedFile = "joined"

// save writes a file into the state directory, whole or not at all, and only
// root can read it. It is below Host.Root, like everything.
func (t Target) save(name string, content []byte) error {
	return t.saveBy(name, func(to *bufio.Writer) { _, _ = to.Write(content) })
}

// saveBy is save for what is written piece by piece.
func (t Target) saveBy(name string, write func(to *bufio.Writer)) error {
	if t.StateDir == "" {
		return errors.New("no state directory given")
	}
	dir := t.Host.Path(t.StateDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+name+"-")
	if err != nil {
		return err
	}
	to := bufio.NewWriterSize(f, 1<<16)
	write(to)
	err = errors.Join(to.Flush(), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("save %s: %w", name, err)
	}
	return host.SyncDir(dir)
}

// partOf is the name of a file that is still being written. Nothing that reads
// configurations takes one: systemd wants ".conf", a container runtime ".conf",
// ".conflist" or ".json".
func partOf(path string) string { return path + ".new" }

// removeIf removes a file if it is there: where it is not, it does not matter that
// nothing can be written.
func (t Target) removeIf(path string) error {
	if !t.exists(path) {
		return nil
	}
	return t.Host.Remove(path)
}

// put writes a file of the host outside of the state directory: whole or not at
// all, and durably.
func (t Target) put(path, content string, mode os.FileMode) error {
	part := t.Host.Path(partOf(path))
	if err := t.removeIf(partOf(path)); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(part, t.Host.Path(path))
	}
	if err != nil {
		_ = os.Remove(part)
		return fmt.Errorf("write %s: %w", path, err)
	}
	return host.SyncDir(filepath.Dir(part))
}

// saved reports whether a file is in the state directory.
func (t Target) saved(name string) bool {
	_, err := os.Lstat(filepath.Join(t.Host.Path(t.StateDir), name))
	return t.StateDir != "" && err == nil
}

// unsave removes a file from the state directory, if it is there.
func (t Target) unsave(name string) error {
	if t.StateDir == "" {
		return nil
	}
	err := os.Remove(filepath.Join(t.Host.Path(t.StateDir), name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// recalled reads what an earlier run wrote down; zero if there is nothing.
func (t Target) recalled() time.Time {
	if t.StateDir == "" {
		return time.Time{}
	}
	raw, err := host.ReadPlain(filepath.Join(t.Host.Path(t.StateDir), joinedFile), mostOfConfig)
	if err != nil {
		return time.Time{}
	}
	at, _ := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(raw))) // zero if unreadable
	return at
}

// remember writes down when the host joined, which cluster, and where its kubelet keeps
// what it makes, unless that is known already.
func (t Target) remember() error {
	if t.StateDir == "" {
		return nil
	}
	errs := []error{t.rememberPlaces()}
	if !t.Facts.Joined.IsZero() && !t.saved(joinedFile) {
		errs = append(errs, t.save(joinedFile, []byte(t.Facts.Joined.UTC().Format(time.RFC3339Nano)+"\n")))
	}
	return errors.Join(append(errs, t.rememberIdentity(), t.rememberSigns())...)
}
