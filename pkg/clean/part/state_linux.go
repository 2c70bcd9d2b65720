// SPDX-License-Identifier: Apache-2.0

package part

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/joindate"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// JoinedFile is where a removal writes down when the host had joined: the
// files that tell are gone when a removal is resumed.
const JoinedFile = "joined"

// DropInsFile says that a removal has made the directory of the kubelet's drop-ins, since
// there was none.
const DropInsFile = "drop-ins-made"

// DeletedFile is what was deleted from the packet filter and is not known yet to be without
// harm.
const DeletedFile = "packet-filter-deleted.txt"

// Outlive are the notes that are about the host, and not about a run: what an earlier run, which
// was killed, has made for a while, or has to bring back, is for the next one to account for.
func Outlive() []string { return []string{DropInsFile, DeletedFile} }

// Save writes a file into the state directory, whole or not at all, and only
// root can read it. It is below Host.Root, like everything.
func (t Host) Save(name string, content []byte) error {
	return t.SaveBy(name, func(to *bufio.Writer) { _, _ = to.Write(content) })
}

// SaveBy is save for what is written piece by piece.
func (t Host) SaveBy(name string, write func(to *bufio.Writer)) error {
	if t.StateDir == "" {
		return errors.New("no state directory given")
	}
	dir := t.Path(t.StateDir)
	if err := host.MakeDir(dir, 0o700); err != nil {
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

// Unfinished is the name of a file that is still being written. Nothing that reads
// configurations takes one: systemd wants ".conf", a container runtime ".conf",
// ".conflist" or ".json".
func Unfinished(path string) string { return path + ".new" }

// RemoveIf removes a file if it is there: where it is not, it does not matter that
// nothing can be written.
func (t Host) RemoveIf(path string) error {
	if is, err := t.Exists(path); err != nil || !is {
		return err
	}
	return t.Remove(path)
}

// Put writes a file of the host outside of the state directory: whole or not at
// all, and durably.
func (t Host) Put(path, content string, mode os.FileMode) error {
	part := t.Path(Unfinished(path))
	if err := t.RemoveIf(Unfinished(path)); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(part, t.Path(path))
	}
	if err != nil {
		_ = os.Remove(part)
		return fmt.Errorf("write %s: %w", path, err)
	}
	return host.SyncDir(filepath.Dir(part))
}

// Saved reports whether a file is in the state directory.
func (t Host) Saved(name string) (bool, error) {
	if t.StateDir == "" {
		return false, nil
	}
	is, err := present(filepath.Join(t.Path(t.StateDir), name))
	if err != nil {
		err = fmt.Errorf("look for what the removal has written down: %w", err)
	}
	return is, err
}

// Keep saves a file of the state directory once: what an earlier step has written stays.
func (t Host) Keep(name string, content func() ([]byte, error)) error {
	saved, err := t.Saved(name)
	if err != nil || saved {
		return err
	}
	raw, err := content()
	if err != nil || raw == nil {
		return err
	}
	return t.Save(name, raw)
}

// Unsave removes a file from the state directory, if it is there.
func (t Host) Unsave(name string) error {
	if t.StateDir == "" {
		return nil
	}
	err := os.Remove(filepath.Join(t.Path(t.StateDir), name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// notTold begins what a removal writes down where the signs of the join contradict each
// other; why follows.
const notTold = "unknown: "

// rememberJoined writes down when this host has joined, or why that cannot be told.
func (t Host) rememberJoined() error {
	date := t.joinDate()
	switch noted, _ := t.recalled(); {
	case date.Void != "":
		return t.Keep(JoinedFile, func() ([]byte, error) { return []byte(notTold + date.Void + "\n"), nil })
	case date.At.IsZero(), noted.Void == "" && !noted.At.IsZero():
		return nil
	}
	return t.Save(JoinedFile, []byte(date.At.UTC().Format(time.RFC3339Nano)+"\n"))
}

// recalled reads what an earlier run wrote down; zero if there is nothing.
func (t Host) recalled() (joindate.Date, error) {
	if t.StateDir == "" {
		return joindate.Date{}, nil
	}
	raw, err := host.ReadPlain(filepath.Join(t.Path(t.StateDir), JoinedFile), MostOfFile)
	if errors.Is(err, os.ErrNotExist) {
		return joindate.Date{}, nil
	}
	if err != nil {
		return joindate.Date{}, fmt.Errorf("read when the host joined: %w", err)
	}
	said := strings.TrimSpace(string(raw))
	if why, is := strings.CutPrefix(said, notTold); is {
		return joindate.Date{Void: why}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, said)
	if err != nil {
		return joindate.Date{}, fmt.Errorf("read when the host joined: %w", err)
	}
	return joindate.Date{At: at}, nil
}

// JoinUnread is why what an earlier run wrote down of the join cannot be read: what is
// younger than it may be taken for older then, and stays. Nil if nothing was lost.
func (t Host) JoinUnread() error {
	_, err := t.recalled()
	return err
}

// Joined is when the host joined, as far as that can be told: from the facts, from what an
// earlier run wrote down, from the files that a join makes (package joindate); zero if
// nothing tells, or what tells contradicts itself.
func (t Host) Joined() time.Time { return t.joinDate().At }

func (t Host) joinDate() joindate.Date {
	if !t.Facts.Joined.IsZero() {
		return joindate.Date{At: t.Facts.Joined}
	}
	if noted, err := t.recalled(); err == nil && noted != (joindate.Date{}) {
		return noted
	}
	date, _ := Once(t, "when the host joined", func() (joindate.Date, error) { return joindate.Of(t.joinTraces()), nil })
	return date
}

// joinPaths are the files that a join makes.
func (t Host) joinPaths() []string {
	return []string{filepath.Join(t.KubeadmDir(), "config.yaml"), filepath.Join(t.KubeadmDir(), "kubeadm-flags.env"),
		"/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/kubelet.conf"}
}

// joinFiles are the births of the files that a join makes, as far as they can be told.
func (t Host) joinFiles() (births []time.Time) {
	for _, path := range t.joinPaths() {
		if at, err := t.bornOrWritten(path); err == nil && !at.IsZero() {
			births = append(births, at)
		}
	}
	return births
}

// notesFiles are what a removal writes down of the join that it ends, all parts' together.
// What has yet to be put back (DeletedFile) is about the host, and no note.
func notesFiles() []string {
	return []string{JoinedFile, identityFile, placesFile, "network-namespaces.json", "shares.json", "etcd.json", "signs.json", "backup",
		"devices.json", "drop-ins-made", "remade", "pod-namespaces.json", "virtual-services.txt", "packet-filter.txt", "packet-filter-ahead.txt"}
}

// Outdated reports whether the host has joined since a removal wrote down what it found: the
// notes are of another join then, and tell nothing of this one. A removal makes none
// of the files that a join makes.
func (t Host) Outdated() bool {
	if t.StateDir == "" {
		return false
	}
	var noted time.Time
	for _, name := range notesFiles() {
		info, err := os.Lstat(filepath.Join(t.Path(t.StateDir), name))
		if err == nil && (noted.IsZero() || info.ModTime().Before(noted)) {
			noted = info.ModTime()
		}
	}
	return !noted.IsZero() && slices.ContainsFunc(t.joinFiles(), func(at time.Time) bool { return at.After(noted.Add(JoinMoment)) })
}

// ForgetNotes deletes the notes of another join.
func (t Host) ForgetNotes() error {
	var errs []error
	for _, name := range notesFiles() {
		errs = append(errs, t.Unsave(name))
	}
	return errors.Join(errs...)
}
