// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

const (
	// mostOfFile bounds a file that is backed up, mostOfJournal the journal.
	mostOfFile    = 1 << 20
	mostOfJournal = 256 << 10
)

// backup is two copies of the files that a renewal changes, and of no others: the keys of
// authorities are not among them. far is kept for a person; near lies beside each file,
// and becomes it again by being renamed, which takes no room on a disk that is full.
//
// The journal is written when both are on the disk, and deleted when the renewal is proved:
// as long as it is there, a renewal is not finished.
type backup struct {
	h host.Local
	journal
	// resumed says that the renewal was another program's, which was killed.
	resumed bool
}

// journal is what a renewal that was killed leaves for the next one.
type journal struct {
	Stamp string   `json:"stamp"`
	Far   string   `json:"far"`
	Names []string `json:"names"`
	Files []saved  `json:"files"`
	// Why says why it was neither finished nor taken back, where it has not just been killed.
	Why string `json:"why,omitempty"`
	// at is where the journal is.
	at string
}

// saved is one file. Path is as kubeadm names it, Real where that leads. A file that was
// not there has no Sum.
type saved struct {
	Name string      `json:"name"`
	Path string      `json:"path"`
	Real string      `json:"real"`
	Near string      `json:"near"`
	Sum  string      `json:"sum,omitempty"`
	Mode fs.FileMode `json:"mode,omitempty"`
	UID  int         `json:"uid,omitempty"`
	GID  int         `json:"gid,omitempty"`
	// Time is when it was written: a program that was started later has read it.
	Time time.Time `json:"time,omitzero"`
}

// save copies what kubeadm changes when it renews some certificates. Symbolic links are
// followed to the file that kubeadm writes; anything else that is no file is refused. What is
// kept with them is put beside the copies for a person.
func save(h host.Local, dir string, names []string, with ...func(dir string) error) (*backup, error) {
	real, err := h.Real(dir)
	if err != nil {
		return nil, err
	}
	stamp := unused(h, time.Now().UTC().Format("20060102T150405Z"))
	b := &backup{h: h, journal: journal{Stamp: stamp, Far: inventory.RenewalBackups + stamp, Names: names,
		at: filepath.Join(real, certs.RenewalJournal)}}
	for _, name := range names {
		for _, path := range certs.RenewedFiles(dir, name) {
			if err := b.add(name, path); err != nil {
				return nil, err
			}
		}
	}
	if err := b.copies(with); err != nil {
		return nil, errors.Join(err, sweep(h, dir))
	}
	if err := b.begin(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(h.Path(b.Far)), sweep(h, dir))
	}
	return b, nil
}

// unused is a name for a backup that no other one has.
func unused(h host.Local, stamp string) string {
	name := stamp
	for n := 2; ; n++ {
		if _, err := os.Lstat(h.Path(inventory.RenewalBackups + name)); err != nil {
			return name // whatever else is wrong is seen when it is made
		}
		name = fmt.Sprintf("%s-%d", stamp, n)
	}
}

// add notes a file as it is.
func (b *backup) add(name, path string) error {
	dir, err := b.h.Real(filepath.Dir(path))
	if err != nil {
		return err
	}
	s := saved{Name: name, Path: path, Real: filepath.Join(dir, filepath.Base(path))}
	info, err := os.Lstat(b.h.Path(s.Real))
	if err == nil {
		if s.Real, err = b.h.Real(path); err != nil {
			return err
		}
		info, err = os.Lstat(b.h.Path(s.Real))
	}
	s.Near = filepath.Join(filepath.Dir(s.Real), inventory.RenewalMark+b.Stamp+"-"+filepath.Base(s.Real))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.Files = append(b.Files, s)
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s leads to %s, which is not a regular file", path, s.Real)
	}
	s.Mode, s.Time = info.Mode().Perm(), info.ModTime()
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		s.UID, s.GID = int(stat.Uid), int(stat.Gid)
	}
	if s.Sum, err = sum(b.h.Path(s.Real)); err != nil {
		return err
	}
	b.Files = append(b.Files, s)
	return nil
}

// copies makes both copies, each on the disk and read again before anything is changed.
func (b *backup) copies(with []func(dir string) error) error {
	far := b.h.Path(inventory.UnfinishedRenewalBackups + b.Stamp)
	if err := host.MakeDir(far, 0o700); err != nil {
		return err
	}
	for _, f := range b.Files {
		if f.Sum == "" {
			continue
		}
		raw, err := host.ReadPlain(b.h.Path(f.Real), mostOfFile)
		if err != nil {
			return err
		}
		kept := filepath.Join(far, f.Path)
		if err := host.MakeDir(filepath.Dir(kept), 0o700); err != nil {
			return err
		}
		for _, to := range []string{b.h.Path(f.Near), kept} {
			if err := f.write(to, raw, os.O_EXCL); err != nil {
				return err
			}
		}
	}
	for _, add := range with {
		if err := add(far); err != nil {
			return err
		}
	}
	if err := os.Rename(far, b.h.Path(b.Far)); err != nil {
		return err
	}
	return host.SyncDir(filepath.Dir(far))
}

// write writes a copy of a file, with its mode, owner and time, onto the disk, and reads it again.
func (f saved) write(to string, raw []byte, flag int) error {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|syscall.O_NOFOLLOW|flag, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(raw)
	err = errors.Join(err, out.Chown(f.UID, f.GID), out.Chmod(f.Mode), out.Sync(), out.Close(), host.SyncDir(filepath.Dir(to)))
	if err != nil {
		return err
	}
	if !f.Time.IsZero() {
		if err := os.Chtimes(to, f.Time, f.Time); err != nil {
			return err
		}
	}
	if got, err := sum(to); err != nil || got != f.Sum {
		return errors.Join(fmt.Errorf("the copy %s of %s is not what was written", to, f.Path), err)
	}
	return nil
}

// begin writes the journal: from then on the renewal has to be finished, or taken back.
func (b *backup) begin() error {
	raw, err := json.Marshal(b.journal)
	if err != nil {
		return err
	}
	at := b.h.Path(b.at)
	f, err := os.CreateTemp(filepath.Dir(at), inventory.RenewalMark+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(f.Name(), at), host.SyncDir(filepath.Dir(at)))
}

func sum(path string) (string, error) {
	raw, err := host.ReadPlain(path, mostOfFile)
	return sumOf(raw), err
}

func sumOf(raw []byte) string {
	digest := sha256.Sum256(raw)
	return hex.EncodeToString(digest[:])
}
