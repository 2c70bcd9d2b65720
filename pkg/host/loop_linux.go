// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Loop is a loop device with a file behind it.
type Loop struct {
	// Device is its path, "/dev/loop7".
	Device string
	// Backing is the path of the file behind it, as the kernel tells it. It may be one
	// of another mount namespace: Dev and Inode tell which file it is.
	Backing    string
	Dev, Inode uint64
	// Number is the device's own, major:minor, as a mount has it. Clearing says that the file
	// is released once nothing uses the device any more.
	Number   string
	Clearing bool
}

// mostOfHolders is how many devices on it are looked for: one is enough.
const mostOfHolders = 1

// Holder is a device that is on this one (of LVM, say); empty if none is.
func (l Loop) Holder() string {
	dir, err := os.Open("/sys/block/" + filepath.Base(l.Device) + "/holders")
	if err != nil {
		return "" // it has gone since
	}
	names, _ := dir.Readdirnames(mostOfHolders) // none
	if _ = dir.Close(); len(names) == 0 {       // it was read
		return ""
	}
	return "/dev/" + names[0]
}

// mostLoops bounds how many loop devices are looked at.
const mostLoops = 4096

// Loops lists the loop devices of this host that have a file behind them. One that
// cannot be asked is left out: unmounting what it is on gives EBUSY. Where there are more
// than are looked at, those and an error.
func Loops() ([]Loop, error) {
	paths, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var out []Loop
	for _, path := range paths[:min(len(paths), mostLoops)] {
		raw, err := ReadHead(path, mostOfProc)
		if err != nil {
			continue // it has gone since
		}
		l := Loop{Device: "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(path))), Backing: strings.TrimSuffix(string(raw), "\n")}
		if number, err := ReadHead(filepath.Join(filepath.Dir(path), "../dev"), mostOfProc); err == nil {
			l.Number = strings.TrimSpace(string(number))
		}
		if err := l.ask(func(fd int) error {
			info, err := unix.IoctlLoopGetStatus64(fd)
			if err == nil {
				l.Dev, l.Inode, l.Clearing = info.Device, info.Inode, info.Flags&unix.LO_FLAGS_AUTOCLEAR != 0
			}
			return err
		}); err == nil {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b Loop) int { return number(a.Device) - number(b.Device) })
	if len(paths) > mostLoops {
		return out, fmt.Errorf("this host has %d loop devices in use, of which %d were looked at", len(paths), mostLoops)
	}
	return out, nil
}

func number(device string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(device, "/dev/loop")) // 0 for what has none
	return n
}

// On reports whether the file behind it is the one at a path of this host, which is
// asked: not for paths on file systems of other machines.
func (l Loop) On(path string) bool {
	var st unix.Stat_t
	return l.Backing == path && unix.Lstat(path, &st) == nil && st.Ino == l.Inode && st.Dev == l.Dev
}

// Detach takes the file from the loop device, unless it is another file's by now. In use
// itself, it keeps the file until its last user has closed it (LOOP_CLR_FD).
func (l Loop) Detach() error {
	return l.ask(func(fd int) error {
		info, err := unix.IoctlLoopGetStatus64(fd)
		if errors.Is(err, unix.ENXIO) || err == nil && (info.Device != l.Dev || info.Inode != l.Inode) {
			return nil
		}
		if err == nil {
			err = unix.IoctlSetInt(fd, unix.LOOP_CLR_FD, 0)
		}
		if err != nil && !errors.Is(err, unix.ENXIO) {
			return fmt.Errorf("detach %s: %w", l.Device, err)
		}
		return nil
	})
}

func (l Loop) ask(do func(fd int) error) error {
	f, err := os.OpenFile(l.Device, os.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return errors.Join(do(int(f.Fd())), f.Close())
}

// loopsBelow names the loop devices whose files are on a mount.
func (l Local) loopsBelow(m Mount) (out []string, err error) {
	loops, err := Loops()
	at := l.Path(m.Path)
	for _, loop := range loops {
		if loop.Backing == at || Below(loop.Backing, at) {
			out = append(out, fmt.Sprintf("%s (a loop device on %s)", loop.Device, loop.Backing))
		}
	}
	return out, err
}
