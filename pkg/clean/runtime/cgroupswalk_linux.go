// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The bounds of a look at the pods' cgroups. A pod whose cgroup is its own to
// divide can make a million in it, or a thousand one inside the other.
const (
	mostCgroups = 1 << 18
	mostOfNames = 1 << 10
	mostInPath  = 8
)

// errTooMany says that there are more cgroups, or processes, than are read.
var errTooMany = errors.New("too many to look at")

// cgroupWalk goes through a tree of cgroups with one open directory at a time and
// memory for the names of those it is in, however deep that is.
type cgroupWalk struct {
	root string
	// enter, if set, is called with each cgroup before those in it, which it can
	// leave out. The path is the cgroup's, cut where the rest is of no use.
	enter func(dir int, path string) (inside bool, err error)
	// leave, if set, is called with each cgroup after those in it, by its name in
	// the directory around it. It removes it.
	leave func(parent int, name string) error

	cur  *os.File // the innermost of levels
	in   []level
	seen int
}

// level is a directory on the way to where a walk is.
type level struct {
	name string
	inode
	rest []string // what is in it and was not visited yet
}

type inode struct{ dev, ino uint64 }

// run goes through the tree. What vanishes in that time is no error.
func (w *cgroupWalk) run() (err error) {
	top, err := os.Open(filepath.Dir(w.root))
	if err != nil {
		return err
	}
	w.cur = top
	defer func() { _ = w.cur.Close() }()
	id, err := inodeOf(w.cur)
	w.in = []level{{inode: id, rest: []string{filepath.Base(w.root)}}}
	for err == nil {
		at := &w.in[len(w.in)-1]
		switch {
		case len(at.rest) > 0:
			name := at.rest[len(at.rest)-1]
			at.rest = at.rest[:len(at.rest)-1]
			err = w.down(name)
		case len(w.in) == 1:
			return nil
		default:
			err = w.up()
		}
	}
	return err
}

// down goes into a cgroup.
func (w *cgroupWalk) down(name string) error {
	fd, err := unix.Openat(int(w.cur.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open cgroup %s: %w", w.path(name), err)
	}
	if w.seen++; w.seen > mostCgroups && w.leave == nil {
		return errors.Join(errTooMany, unix.Close(fd))
	}
	_ = w.cur.Close() // it was read
	w.cur = os.NewFile(uintptr(fd), name)
	id, err := inodeOf(w.cur)
	if err != nil {
		return err
	}
	w.in = append(w.in, level{name: name, inode: id})
	inside := true
	if w.enter != nil {
		if inside, err = w.enter(fd, w.path("")); err != nil {
			return err
		}
	}
	if inside {
		return w.list()
	}
	return nil
}

// list reads which cgroups are in the one that the walk is in; where each is
// removed after the visit, the first of them will do.
func (w *cgroupWalk) list() error {
	at := &w.in[len(w.in)-1]
	for {
		entries, err := w.cur.ReadDir(mostOfNames)
		for _, e := range entries {
			if e.IsDir() {
				at.rest = append(at.rest, e.Name())
			}
		}
		switch {
		case errors.Is(err, io.EOF), gone(err):
			return nil
		case err != nil:
			return fmt.Errorf("list cgroup %s: %w", w.path(""), err)
		case w.leave != nil && len(at.rest) >= mostOfNames:
			return nil
		case len(at.rest) > mostCgroups:
			return errTooMany
		}
	}
}

// up leaves a cgroup for the one around it.
func (w *cgroupWalk) up() error {
	left := w.in[len(w.in)-1]
	w.in = w.in[:len(w.in)-1]
	want := w.in[len(w.in)-1].inode
	fd, err := unix.Openat(int(w.cur.Fd()), "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	_ = w.cur.Close() // it was read
	if err == nil {
		w.cur = os.NewFile(uintptr(fd), "..")
		if id, statErr := inodeOf(w.cur); statErr == nil && id == want {
			return w.left(left.name)
		}
		_ = w.cur.Close()
	}
	if err := w.again(); err != nil { // it is gone, and does not know its parent any more
		return err
	}
	return w.more()
}

// left is what is done about a cgroup that the walk has been through.
func (w *cgroupWalk) left(name string) error {
	if w.leave == nil {
		return nil
	}
	if err := w.leave(int(w.cur.Fd()), name); err != nil {
		return fmt.Errorf("remove cgroup %s: %w", w.path(name), err)
	}
	return w.more()
}

// more reads a directory once more when what was known of it is removed: there may
// have been more.
func (w *cgroupWalk) more() error {
	if w.leave == nil || len(w.in[len(w.in)-1].rest) > 0 || len(w.in) == 1 {
		return nil
	}
	if _, err := w.cur.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return w.list()
}

// again finds the way from the top to where the walk is, or to the last directory
// on it that is still there.
func (w *cgroupWalk) again() error {
	cur, err := os.Open(filepath.Dir(w.root))
	w.cur = cur
	if err != nil {
		return err
	}
	for i := 1; i < len(w.in); i++ {
		fd, err := unix.Openat(int(w.cur.Fd()), w.in[i].name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if gone(err) {
			w.in = w.in[:i]
			return nil
		}
		if err != nil {
			return fmt.Errorf("open cgroup %s: %w", w.path(""), err)
		}
		_ = w.cur.Close()
		w.cur = os.NewFile(uintptr(fd), w.in[i].name)
		if id, err := inodeOf(w.cur); err != nil || id != w.in[i].inode {
			w.in[i].rest = nil // another one of the same name: the next look sees it
			w.in[i].inode = id
		}
	}
	return nil
}

// path is where the walk is, or what is in there under a name.
func (w *cgroupWalk) path(name string) string {
	parts := []string{filepath.Dir(w.root)}
	for _, l := range w.in[1:min(len(w.in), mostInPath)] {
		parts = append(parts, l.name)
	}
	if len(w.in) > mostInPath {
		parts = append(parts, "…")
	}
	return strings.Join(append(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), name), "/")
}

func inodeOf(f *os.File) (inode, error) {
	var s unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &s)
	return inode{s.Dev, s.Ino}, err
}

// gone reports whether an error says that a cgroup is no more.
func gone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) }

// readAt reads a file of a cgroup, up to a bound.
func readAt(dir int, name string, most int64) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer func() { _ = f.Close() }() // it was read
	return io.ReadAll(io.LimitReader(f, most))
}
