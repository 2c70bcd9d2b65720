// SPDX-License-Identifier: Apache-2.0

package reach

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Remotes knows where file systems of other machines are mounted, and reads that again
// only once the kernel says that mounts have changed.
type Remotes struct {
	lock sync.Mutex
	// mountinfo is the file of the process whose mounts are the host's.
	mountinfo string
	file      *os.File
	known     mountpoints
}

// mountpoints are the mounts of other machines' file systems, and those that lie on them,
// in the kernel's order.
type mountpoints struct {
	at     []string
	remote []bool
}

// Of are those of a process, by its directory in /proc.
func Of(proc string) *Remotes { return &Remotes{mountinfo: proc + "/mountinfo"} }

// now is what is mounted by now. The kernel counts the changes of a mount namespace, and
// poll(2) tells once that there were some since the file was opened or polled (proc(5)).
func (r *Remotes) now() (mountpoints, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.file == nil {
		f, err := os.Open(r.mountinfo)
		if err != nil {
			return mountpoints{}, err
		}
		r.file = f // closed when nothing refers to it any more
	} else if n, err := unix.Poll([]unix.PollFd{{Fd: int32(r.file.Fd()), Events: unix.POLLPRI}}, 0); err == nil && n == 0 {
		return r.known, nil
	}
	raw, err := io.ReadAll(io.NewSectionReader(r.file, 0, mostOfMounts))
	if err != nil {
		r.file = nil // read again next time: the kernel tells of a change but once
		return mountpoints{}, fmt.Errorf("read mounts: %w", err)
	}
	r.known = parse(string(raw))
	return r.known, nil
}

// mostOfMounts bounds what is read: a host has thousands of mounts at most, whose paths
// may be long.
const mostOfMounts = 1 << 30

// parse reads lines of mountinfo (proc(5)), which may be of any length: a path may be.
func parse(raw string) mountpoints {
	type mount struct {
		at   string
		away bool
	}
	var all []mount
	var remote []string
	for line := range strings.Lines(raw) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) < 5 {
			continue
		}
		kind, _, _ := strings.Cut(after, " ")
		m := mount{at: unescaped(fields[4])}
		// An automounter's trigger mounts when it is touched, and waits for that.
		if m.away = (Remote(kind) || kind == "autofs") && !underKernel(m.at); m.away {
			remote = append(remote, m.at)
		}
		all = append(all, m)
	}
	var out mountpoints
	for _, m := range all {
		if m.away || len(remote) > 0 && On(m.at, remote) >= 0 {
			out.at, out.remote = append(out.at, m.at), append(out.remote, m.away)
		}
	}
	return out
}

// unescaped is a path of which the kernel has written some bytes as their octal numbers.
func unescaped(path string) string {
	if !strings.Contains(path, `\`) {
		return path
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) {
			if n, err := strconv.ParseUint(path[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(path[i])
	}
	return out.String()
}
