// SPDX-License-Identifier: Apache-2.0

package reach

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrRemote says that a path leads to another machine's file system.
var ErrRemote = errors.New("another machine's file system is mounted there")

// mostLinks is how many symbolic links the kernel follows on a path (MAXSYMLINKS).
const mostLinks = 40

// Remote reports whether a file system, by its type as the kernel tells it, is another
// machine's, a hypervisor's or a program's, any of which may not answer, or is on a disk that
// machines share.
func Remote(fsType string) bool {
	switch kind, _, _ := strings.Cut(fsType, "."); kind {
	case "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "ncp", "afs", "coda", "ceph", "orangefs", "pvfs2": // in the kernel, or once there
		return true
	case "glusterfs", "lustre", "beegfs", "gpfs", "panfs", "wekafs", "cvfs", "exafs", "auristorfs": // storage vendors' own
		return true
	case "ocfs2", "gfs2", "gfs", "acfs", "scoutfs": // on shared disks: they wait for each other
		return true
	case "9p", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "hgfs", "drvfs": // hypervisors'
		return true
	case "fuse", "fuseblk": // programs', of any kind: fuse.sshfs, fuse.glusterfs
		return true
	}
	return false
}

// On is the last of some mounts that a path is on, by their mountpoints, in the kernel's
// order; -1 for none.
func On(path string, mountpoints []string) int {
	on, longest := -1, -1
	for i, at := range mountpoints {
		if len(at) >= longest && (path == at || at == "/" || strings.HasPrefix(path, at) && path[len(at)] == '/') {
			on, longest = i, len(at)
		}
	}
	return on
}

// Path is where an absolute path of this program's leads once the symbolic links in it are
// followed, the last part's only if that is asked for. What is missing on the way is left
// as it is. It is ErrRemote if anything on the way is on another machine's file system; the
// root directory may be. A host that has none mounted costs nothing: the path is returned.
func (r *Remotes) Path(path string, last bool) (string, error) {
	mounts, err := r.now()
	if err != nil {
		return "", &fs.PathError{Op: "look at", Path: path, Err: err}
	}
	if len(mounts.at) == 0 || underKernel(path) && !leavesKernel(path) {
		return path, nil
	}
	return r.follow(path, last, mounts)
}

// follow is Path on a host that has file systems of other machines.
func (r *Remotes) follow(path string, last bool, mounts mountpoints) (string, error) {
	at, rest, links := "/", parts(path), 0
	for len(rest) > 0 {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		if on := On(next, mounts.at); on >= 0 && mounts.at[on] != "/" && mounts.remote[on] {
			return "", &fs.PathError{Op: "look at", Path: path, Err: fmt.Errorf("%w: %s", ErrRemote, mounts.at[on])}
		}
		if len(rest) == 0 && !last {
			return next, nil
		}
		to, err := os.Readlink(next)
		switch {
		case errors.Is(err, unix.EINVAL): // no link
			at = next
			continue
		case leavesKernel(next) && !r.sameMounts(next): // its text is a path of another process
			return "", &fs.PathError{Op: "look at", Path: path, Err: fmt.Errorf("%w, or may be, where %s leads", ErrRemote, next)}
		case err != nil: // opening it tells why
			return filepath.Join(append([]string{next}, rest...)...), nil
		}
		if links++; links > mostLinks {
			return "", &fs.PathError{Op: "look at", Path: path, Err: unix.ELOOP}
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = append(parts(to), rest...)
	}
	return at, nil
}

// underKernel reports whether a path is the kernel's own, whose links lead elsewhere than
// they say.
func underKernel(path string) bool {
	return path == "/proc" || strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/")
}

// leavesKernel reports whether a path goes through a link of a process's in /proc that
// leads to what the process has: its root, its directory, what it has opened or mapped.
func leavesKernel(path string) bool {
	rest, is := strings.CutPrefix(path, "/proc/")
	return is && slices.ContainsFunc(parts(rest), func(part string) bool {
		return slices.Contains([]string{"root", "cwd", "exe", "fd", "map_files"}, part)
	})
}

// sameMounts reports whether a process, by a path of its in /proc, sees the mounts that
// these are: what the kernel says of where its links lead is a path of those then.
func (r *Remotes) sameMounts(path string) bool {
	process := strings.Join(strings.SplitN(path, "/", 4)[:3], "/")
	its, err := os.Readlink(process + "/ns/mnt")
	ours, err2 := os.Readlink(filepath.Dir(r.mountinfo) + "/ns/mnt")
	return err == nil && err2 == nil && its == ours
}

func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}
