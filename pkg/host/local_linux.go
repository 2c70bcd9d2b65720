// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/reach"
)

// Local is this machine; the zero value is the machine itself.
type Local struct {
	// Root is prefixed to every path; empty means "/".
	Root string
	// Proc is the process whose mounts are the host's; empty means /proc/1.
	Proc string
	// Exec runs commands; nil means really. A test's fake.
	Exec func(ctx context.Context, cmd Command) (string, error)
	// Remotes knows where other machines' file systems are mounted; nil means that it is
	// read each time.
	Remotes *reach.Remotes
}

// Path is where a path of the host lies for this program.
func (l Local) Path(path string) string { return filepath.Join("/", l.Root, path) }

// proc is the process whose mounts are the host's.
func (l Local) proc() string {
	if l.Proc == "" {
		return "/proc/1"
	}
	return l.Proc
}

// ErrRemote says that a path leads to another machine's file system, which is not touched
// since it may never answer.
var ErrRemote = reach.ErrRemote

// Reach is where a path of the host lies for this program, as Path, once it is known that
// nothing on the way to it is another machine's file system; ErrRemote otherwise. The path
// itself may be a link, which is not followed.
func (l Local) Reach(path string) (string, error) { return l.remotes().Path(l.Path(path), false) }

// Follow is Reach for a path whose last part is followed if it is a link.
func (l Local) Follow(path string) (string, error) { return l.remotes().Path(l.Path(path), true) }

// Remembering is this machine for work that asks for many paths: it reads the mounts again
// only when they have changed.
func (l Local) Remembering() Local {
	l.Remotes = l.remotes()
	return l
}

func (l Local) remotes() *reach.Remotes {
	if l.Remotes != nil {
		return l.Remotes
	}
	return reach.Of(l.proc())
}

// Real is a path of the host without symbolic links. One that leads out of Root is an
// error, and so is one that leads to another machine's file system.
func (l Local) Real(path string) (string, error) {
	at, err := l.Follow(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(at)
	if err != nil {
		return "", err
	}
	root := l.Path("/")
	if root == "/" {
		return real, nil
	}
	if real != root && !Below(real, root) {
		return "", fmt.Errorf("%s leads out of %s: %w", path, root, fs.ErrInvalid)
	}
	return filepath.Join("/", strings.TrimPrefix(real, root)), nil
}

// Lstat says what is at a path; a link is not followed.
func (l Local) Lstat(path string) (fs.FileInfo, error) {
	at, err := l.Reach(path)
	if err != nil {
		return nil, err
	}
	return os.Lstat(at)
}

// Stat says what a path leads to.
func (l Local) Stat(path string) (fs.FileInfo, error) {
	at, err := l.Follow(path)
	if err != nil {
		return nil, err
	}
	return os.Stat(at)
}

// Readlink says where a link leads, as it is written in it.
func (l Local) Readlink(path string) (string, error) {
	at, err := l.Reach(path)
	if err != nil {
		return "", err
	}
	return os.Readlink(at)
}

// Open opens a directory for reading, in which nothing is waited for. With nofollow it is
// no link to one.
func (l Local) Open(dir string, nofollow bool) (*os.File, error) {
	where, flags := l.Follow, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK
	if nofollow {
		where, flags = l.Reach, flags|unix.O_NOFOLLOW
	}
	at, err := where(dir)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(at, flags, 0)
}

// ReadDir lists a directory, in the order of the names.
func (l Local) ReadDir(dir string) ([]fs.DirEntry, error) {
	at, err := l.Follow(dir)
	if err != nil {
		return nil, err
	}
	return os.ReadDir(at)
}

// Glob are the paths that a pattern fits, as filepath.Glob finds them, but for a directory
// that cannot be listed, which is an error.
func (l Local) Glob(pattern string) ([]string, error) {
	if _, err := filepath.Match(pattern, ""); err != nil {
		return nil, err
	}
	dirs, name := []string{filepath.Dir(pattern)}, filepath.Base(pattern)
	var errs []error
	if strings.ContainsAny(dirs[0], `*?[\`) {
		found, err := l.Glob(dirs[0])
		dirs, errs = found, append(errs, err)
	}
	var out []string
	for _, dir := range dirs {
		entries, err := l.ReadDir(dir)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if fits, _ := filepath.Match(name, e.Name()); fits {
				out = append(out, filepath.Join(dir, e.Name()))
			}
		}
	}
	return out, errors.Join(errs...)
}
