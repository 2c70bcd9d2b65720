// SPDX-License-Identifier: Apache-2.0

package part

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/secrecy"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// AddPath adds a path that goes, if it exists; on another machine's file system nothing
// goes, other hosts may share it.
func (t Host) AddPath(s *Findings, p inventory.OwnPath) {
	info, err := t.Lstat(p.Path)
	switch {
	case errors.Is(err, host.ErrRemote):
		s.NotLookedAt(inventory.KindFile, p.Path, "another machine's file system is mounted there")
		return
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		s.Missed(inventory.KindFile, p.Path, err)
		return
	}
	it := inventory.Item{Kind: inventory.KindFile, Name: p.Path, Owner: p.Owner, Fate: inventory.Goes}
	if info.IsDir() {
		it.Kind = inventory.KindDir
		it.Detail = t.entries(p.Path)
	}
	s.Add(it)
}

// entries says how many there are in a directory, to show it. A pod may have made
// millions.
func (t Host) entries(dir string) string {
	const most = 10_000
	f, err := t.Open(dir, true)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was read
	n := 0
	for n <= most {
		names, err := f.Readdirnames(1000)
		if n += len(names); err != nil {
			return fmt.Sprintf("%d entries", n)
		}
	}
	return fmt.Sprintf("more than %d entries", most)
}

// AddHollow adds those of some directories, deepest first, that came with the
// join and hold nothing but what goes. A link in the place of one is an administrator's
// (kubespray has /etc/kubernetes/pki lead to /etc/kubernetes/ssl, kubernetes/kubeadm#1498):
// it stays, with the directory that it leads to, whenever it was made.
func (t Host) AddHollow(s *Findings, dirs ...inventory.OwnPath) {
	for _, dir := range dirs {
		names, err := t.Names(dir.Path)
		is, unread := t.Exists(dir.Path)
		if err != nil || unread != nil || !is || !t.Younger(dir.Path) || t.Mounted(dir.Path) {
			continue
		}
		goes := func(name string) bool {
			return slices.ContainsFunc(s.Goes(), func(it inventory.Item) bool { return it.Name == filepath.Join(dir.Path, name) })
		}
		switch {
		case slices.ContainsFunc(names, func(name string) bool { return !goes(name) }):
		case !t.IsDir(dir.Path):
			t.AddForeign(s, dir.Path, "no directory, but a link or a file in the place of one")
		default:
			s.Add(inventory.Item{Kind: inventory.KindDir, Name: dir.Path, Owner: dir.Owner, Fate: inventory.Goes, Detail: "empty after that",
				Manner: inventory.IfEmpty})
		}
	}
}

// AddForeign adds what stays, and says since when it is there.
func (t Host) AddForeign(s *Findings, path, why string) {
	it := inventory.Item{
		Kind: inventory.KindFile, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: why, Digest: t.Digest(path),
	}
	if info, err := t.Lstat(path); err == nil && info.IsDir() {
		it.Kind = inventory.KindDir
	}
	younger, err := t.age(path)
	switch {
	case err != nil:
		it.Why += "; its age cannot be read"
		it.Refers = inventory.NotLookedAt + err.Error() // it may be of the cluster
	case t.Facts.Joined.IsZero():
	case younger:
		it.Why += "; made since the join"
	default:
		it.Why += "; older than the join"
	}
	s.Add(it)
}

// Digest is a hash of a foreign file, to show that it is unchanged: of what is in a small
// one, of a large one by what the file system says, its size, inode and when it was
// written. Empty for what is no file, and "unread" for one that cannot be read.
func (t Host) Digest(path string) string {
	const most = 1 << 20
	info, err := t.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !info.Mode().IsRegular():
		return ""
	case err == nil && info.Size() > most:
		return sum([]byte(fmt.Sprint(info.Size(), info.ModTime().UnixNano(), info.Sys().(*syscall.Stat_t).Ino)))
	}
	raw, err := t.ReadPlain(path, most)
	if err != nil {
		return "unread"
	}
	return sum(raw)
}

func sum(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// LeftOut says why the backup would not have a file with this content; empty if it would, or none
// is wanted.
func (t Host) LeftOut(path string, content []byte) string {
	return secrecy.LeftOut(t.Choices, path, content)
}

// Discard removes a file or directory of a list; one that is to be empty by then only
// if it is.
func (t Host) Discard(it inventory.Item) error {
	if it.Manner == inventory.IfEmpty {
		return t.RemoveEmpty(it.Name)
	}
	return t.Remove(it.Name)
}

// NetworkID is the number that this network namespace has for another, by its path;
// negative if it has none.
func (t Host) NetworkID(path string) (int, error) {
	at, err := t.Reach(path)
	if err != nil {
		return -1, err
	}
	f, err := os.OpenFile(at, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer func() { _ = f.Close() }() // it was read
	return netlink.GetNetNsIdByFd(int(f.Fd()))
}
