// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
	id.BootID, err = BootID()
	return id, err
}

// BootID is the kernel's name of this boot; empty if it has none. It is of the kernel, hence
// not below Local.Root.
func BootID() (string, error) {
	boot, err := ReadPlain("/proc/sys/kernel/random/boot_id", mostOfProc)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return strings.TrimSpace(string(boot)), nil
}

func (l Local) line(path string) (string, error) {
	raw, err := l.ReadLinked(path, mostOfProc)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(raw)), err
}

// Born is when a file was made, which writing to it does not change; zero if
// the file does not exist or its file system does not say.
func (l Local) Born(path string) (time.Time, error) {
	var s unix.Statx_t
	at, err := l.Reach(path)
	if err == nil {
		err = unix.Statx(unix.AT_FDCWD, at, unix.AT_SYMLINK_NOFOLLOW|unix.AT_STATX_DONT_SYNC, unix.STATX_BTIME, &s)
	}
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
	at, err := l.Follow(dir)
	if err == nil {
		err = unix.Statfs(at, &fs)
	}
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

// Written is when a file or link on an overlay file system was last written, and zero for
// everything else: an overlay copies one of a lower layer, with a new birth, when it is
// changed in any way, and leaves it this time unless its content is (ovl_copy_up_one).
func (l Local) Written(path string) (time.Time, error) {
	var fs unix.Statfs_t
	var s unix.Stat_t
	at, err := l.Reach(path)
	if err == nil {
		err = unix.Statfs(filepath.Dir(at), &fs) // of a link, not of what it leads to
	}
	if err == nil {
		err = unix.Lstat(at, &s)
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("when %s was written: %w", path, err)
	case int64(fs.Type) != unix.OVERLAYFS_SUPER_MAGIC || s.Mode&unix.S_IFMT == unix.S_IFDIR:
		return time.Time{}, nil
	}
	return time.Unix(s.Mtim.Unix()), nil
}

// Signs tell a machine from another one that has a copy of its disk, and with it
// its machine-id, its name and its credentials.
type Signs struct {
	// Board is the number of its board or, of a virtual machine, the one that its
	// hypervisor gives it.
	Board string `json:"board,omitempty"`
	// MACs are the addresses of its network devices, virtual links left out.
	MACs []string `json:"macs,omitempty"`
}

// Signs reads what this machine can be told by. What cannot be read is no sign.
func (Local) Signs() Signs {
	var s Signs
	for _, path := range []string{"/sys/class/dmi/id/product_uuid", "/sys/firmware/devicetree/base/serial-number"} {
		if raw, err := ReadLinked(path, mostOfProc); err == nil && s.Board == "" {
			s.Board = board(string(raw))
		}
	}
	const links = "/sys/class/net"
	if dir, err := os.Open(links); err == nil {
		_ = eachName(dir, func(name string) bool {
			_, err := os.Lstat(filepath.Join(links, name, "device"))
			raw, readErr := ReadPlain(filepath.Join(links, name, "address"), mostOfProc)
			if mac := strings.TrimSpace(string(raw)); err == nil && readErr == nil && strings.Trim(mac, "0:") != "" {
				s.MACs = append(s.MACs, mac)
			}
			return len(s.MACs) < batch
		})
		_ = dir.Close() // it was read
	}
	slices.Sort(s.MACs)
	return s
}

// board makes the number of a board comparable. Those that boards have in common
// whose maker gave them none are no sign.
func board(raw string) string {
	number := strings.ToLower(strings.Trim(raw, "\x00 \t\r\n"))
	switch {
	case strings.Trim(number, "0-") == "", strings.Trim(number, "f-") == "", number == "03000200-0400-0500-0006-000700080009":
		return ""
	}
	return number
}

// Another reports whether the signs are another machine's, and by which: every
// sign of its hardware that can be compared is different. One that agrees is
// enough for the same machine: network cards are changed, and boards. Where none
// can be compared it is the same: that is a container, as kind's nodes are. The
// machine-id is no sign, since it is on the disk, and such a node is given another
// with each start.
func (s Signs) Another(now Signs) (by string, is bool) {
	var differ []string
	if s.Board != "" && now.Board != "" {
		if s.Board == now.Board {
			return "", false
		}
		differ = append(differ, "the number of its board is "+now.Board+", not "+s.Board)
	}
	if len(s.MACs) > 0 && len(now.MACs) > 0 {
		if slices.ContainsFunc(s.MACs, func(mac string) bool { return slices.Contains(now.MACs, mac) }) {
			return "", false
		}
		differ = append(differ, "its network device is "+now.MACs[0]+", not "+s.MACs[0])
	}
	return strings.Join(differ, ", and "), len(differ) > 0
}
