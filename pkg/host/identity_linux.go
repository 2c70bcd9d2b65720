// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Identity is which machine this is. A cloned machine may share its machine-id
// with another, and a boot changes the boot-id, so no one of them is enough.
type Identity struct {
	Hostname  string `json:"hostname"`
	MachineID string `json:"machineID,omitempty"`
	BootID    string `json:"bootID,omitempty"`
}

// Identity reads the host's names for itself; a file that is missing leaves
// its field empty.
func (l Local) Identity() (Identity, error) {
	var id Identity
	name, err := os.Hostname()
	if err != nil {
		return id, err
	}
	id.Hostname = name
	id.MachineID, err = l.line("/etc/machine-id")
	if err != nil {
		return id, err
	}
	// Of the kernel, hence not below Root.
	boot, err := ReadPlain("/proc/sys/kernel/random/boot_id", mostOfProc)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	id.BootID = strings.TrimSpace(string(boot))
	return id, nil
}

func (l Local) line(path string) (string, error) {
	raw, err := ReadLinked(l.Path(path), mostOfProc)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(raw)), err
}

// Born is when a file was made, which writing to it does not change; zero if
// the file does not exist or its file system does not say.
func (l Local) Born(path string) (time.Time, error) {
	var s unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, l.Path(path), unix.AT_SYMLINK_NOFOLLOW|unix.AT_STATX_DONT_SYNC, unix.STATX_BTIME, &s)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("birth of %s: %w", path, err)
	case s.Mask&unix.STATX_BTIME == 0:
		return time.Time{}, nil
	}
	return time.Unix(s.Btime.Sec, int64(s.Btime.Nsec)), nil
}

// Copied reports whether the age of a directory tells nothing, because it lies
// on an overlay file system and may be a copy: an overlay copies a directory of
// a lower layer, with a new birth, when the first thing in it changes. One that
// is in several layers has but one link (ovl_getattr, since Linux 3.18), one
// that was made here has two or more, except where the upper layer is of a
// file system that counts none, as btrfs. What does not exist is no copy.
func (l Local) Copied(dir string) (bool, error) {
	var fs unix.Statfs_t
	var s unix.Stat_t
	err := unix.Statfs(l.Path(dir), &fs)
	if err == nil {
		err = unix.Lstat(l.Path(dir), &s)
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("file system of %s: %w", dir, err)
	}
	return int64(fs.Type) == unix.OVERLAYFS_SUPER_MAGIC && s.Mode&unix.S_IFMT == unix.S_IFDIR && s.Nlink < 2, nil
}
