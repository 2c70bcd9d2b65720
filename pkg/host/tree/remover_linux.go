// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// What a removal may use. A pod can nest directories as deep, and fill them with as
// many files, as its disk has inodes: nothing but the names on the way down may grow
// with that.
const (
	// mostDirs is how many directories are open at a time.
	mostDirs = 64
	// mostAhead is for how many of the deepest directories the names that were read of
	// them are kept, and their own. Those of one above are read again once all of those
	// below it are gone: that often, and not for each of its directories.
	MostAhead = 256
	// mostTold is for how many of the first directories the name is kept, for errors.
	mostTold = 16
	// mostErrors is how many errors are told, and mostFailed after how many in one
	// directory the rest of it is left: a file system that is read-only fails for each.
	mostErrors, mostFailed = 5, 1000
	// listSize is how much of a directory is read at a time, about a thousand names.
	listSize = 32 << 10
	// mostPath is how much of a path an error shows.
	mostPath = 256
)

// Remover removes one tree without recursion. It holds a frame for each directory
// on the way down; only the deepest of them are open.
type Remover struct {
	// path is the tree's, for errors.
	Path   string
	frames []frame
	list   []byte
	errs   []error
	failed int
}

// Err is what went wrong, bounded.
func (r *Remover) Err() error {
	if more := r.failed - len(r.errs); more > 0 {
		return errors.Join(append(r.errs, fmt.Errorf("and %d more below %s", more, short(r.Path)))...)
	}
	return errors.Join(r.errs...)
}

// fail notes an error about an entry of the deepest directory, and leaves the entry.
func (r *Remover) fail(name, op string, err error) {
	r.failed++
	if len(r.errs) < mostErrors {
		r.errs = append(r.errs, &fs.PathError{Op: op, Path: r.pathOf(name), Err: err})
	}
	if len(r.frames) > 0 {
		r.top().leave(name)
	}
}

func (r *Remover) top() *frame { return &r.frames[len(r.frames)-1] }

// pathOf is the path of an entry of the deepest directory, without its middle if that
// is long: a path of a hundred thousand names is never put together.
func (r *Remover) pathOf(name string) string {
	const ends = 8
	names := []string{r.Path}
	for i, f := range r.frames {
		switch {
		case i == ends && len(r.frames) > 2*ends:
			names = append(names, "…")
		case f.name == "", i > ends && i < len(r.frames)-ends:
		default:
			names = append(names, f.name)
		}
	}
	if name != "" {
		names = append(names, name)
	}
	return short(strings.Join(names, "/"))
}

// short cuts the middle out of a path that is too long to read.
func short(path string) string {
	if len(path) <= mostPath {
		return path
	}
	cut := (mostPath - len("…")) / 2
	return strings.ToValidUTF8(path[:cut]+"…"+path[len(path)-cut:], "")
}

// Entry removes an entry of an open directory with all that is in it.
func (r *Remover) Entry(dir int, name string) {
	if !r.unlink(dir, name, "") {
		return
	}
	if r.enter(dir, name, "") {
		r.work()
	}
	switch err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); {
	case err == nil, errors.Is(err, unix.ENOENT), r.failed > 0:
	case errors.Is(err, unix.EBUSY):
		r.fail("", "remove", ErrMounted)
	default:
		r.fail("", "remove", err)
	}
}

// Empty removes what is in an open directory, except the names that are kept; it
// closes the directory.
func (r *Remover) Empty(dir int, keep []string) {
	r.frames = append(r.frames, frame{fd: int32(dir), names: &names{skip: slices.Clone(keep)}})
	r.work()
}

// work removes what is in the frames' directories, and all but the first of them.
func (r *Remover) work() {
	for len(r.frames) > 0 {
		f := r.top()
		name, found := f.next()
		switch {
		case !found && !r.read(f):
			r.leaveTop()
		case found && r.unlink(int(f.fd), name, name):
			r.enter(int(f.fd), name, name)
		}
	}
}

// read reads more names of a directory. At its end it begins again if something was
// removed: a file system may pass over names while others are removed.
func (r *Remover) read(f *frame) bool {
	if r.list == nil {
		r.list = make([]byte, listSize)
	}
	if f.names == nil {
		f.names = &names{}
	}
	for len(f.names.skip) < mostFailed {
		n, err := unix.ReadDirent(int(f.fd), r.list)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			r.fail("", "read", err)
			return false
		}
		if n == 0 {
			if !f.gone {
				return false
			}
			f.gone = false
			if _, err := unix.Seek(int(f.fd), 0, 0); err != nil {
				return false // removing the directory tells
			}
			continue
		}
		if _, _, f.names.ahead = unix.ParseDirent(r.list[:n], -1, nil); len(f.names.ahead) > 0 {
			slices.Sort(f.names.ahead)
			if !f.thawed {
				f.thawed = true
				thaw(int(f.fd)) // nothing can be deleted from a frozen directory
			}
			return true
		}
	}
	return false
}

// unlink removes an entry that is no directory, and reports whether it is one. Told
// is its name below the deepest directory.
func (r *Remover) unlink(dir int, name, told string) (directory bool) {
	err := unix.Unlinkat(dir, name, 0)
	switch {
	case errors.Is(err, unix.EISDIR):
		return true
	case errors.Is(err, unix.EBUSY):
		r.fail(told, "remove", ErrMounted)
		return false
	case errors.Is(err, unix.EPERM):
		if !thawAt(dir, name) {
			return true // opening it tells whether it is one
		}
		if err = unix.Unlinkat(dir, name, 0); errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EPERM) {
			return true
		}
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		r.fail(told, "remove", err)
		return false
	}
	if len(r.frames) > 0 {
		r.top().gone = true
	}
	return false
}

// enter goes down into a directory of the deepest one.
func (r *Remover) enter(dir int, name, told string) bool {
	sub, err := OpenBeneath(dir, name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return false
	case errors.Is(err, unix.EXDEV):
		err = ErrMounted
	case errors.Is(err, unix.ENOTDIR): // a file that may not be deleted
		err = unix.EPERM
	}
	var stat unix.Stat_t
	if err == nil {
		if err = unix.Fstat(sub, &stat); err != nil {
			_ = unix.Close(sub)
		}
	}
	if err != nil {
		r.fail(told, "remove", err)
		return false
	}
	if n := len(r.frames) - mostDirs; n >= 0 && r.frames[n].fd >= 0 {
		_ = unix.Close(int(r.frames[n].fd)) // it was read
		r.frames[n].fd = -1
	}
	if n := len(r.frames) - MostAhead; n >= 0 {
		if r.frames[n].forget(); n >= mostTold {
			r.frames[n].name = "" // looked up when it is needed
		}
	}
	r.frames = append(r.frames, frame{fd: int32(sub), name: told, inode: stat.Ino,
		device: uint64(stat.Dev)}) //nolint:unconvert // 32 bits elsewhere
	return true
}

// leaveTop goes up from a directory in which nothing is left to do, and removes it.
func (r *Remover) leaveTop() {
	f := *r.top()
	above := len(r.frames) - 2
	if above < 0 {
		_ = unix.Close(int(f.fd)) // it was read
		r.frames = nil
		return
	}
	parent := &r.frames[above]
	err := parent.reopen(int(f.fd))
	_ = unix.Close(int(f.fd)) // it was read
	if err == nil && f.name == "" {
		f.name, err = parent.find(f, r.list)
	}
	if err != nil {
		r.fail("", "leave", err)
		r.abandon()
		return
	}
	*r.top() = frame{} // its names are free
	r.frames = r.frames[:above+1]
	if f.stuck {
		parent.leave(f.name)
		return
	}
	switch err := unix.Unlinkat(int(parent.fd), f.name, unix.AT_REMOVEDIR); {
	case err == nil, errors.Is(err, unix.ENOENT):
		parent.gone = true
	case errors.Is(err, unix.EBUSY):
		r.fail(f.name, "remove", ErrMounted)
	default:
		r.fail(f.name, "remove", err)
	}
}

// abandon leaves everything as it is.
func (r *Remover) abandon() {
	for _, f := range r.frames[:len(r.frames)-1] {
		if f.fd >= 0 {
			_ = unix.Close(int(f.fd)) // it was read
		}
	}
	r.frames = nil
}
