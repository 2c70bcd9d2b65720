// SPDX-License-Identifier: Apache-2.0

package reach

import (
	"fmt"
	"io"
	"math"
	"os"
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
	known, err := parse(io.NewSectionReader(r.file, 0, math.MaxInt64))
	if err != nil {
		r.file = nil // read again next time: the kernel tells of a change but once
		return mountpoints{}, fmt.Errorf("read mounts: %w", err)
	}
	r.known = known
	return known, nil
}

// parse reads a mountinfo.
func parse(from io.Reader) (mountpoints, error) {
	type mount struct {
		at   string
		away bool
	}
	var all []mount
	var remote []string
	err := EachMount(from, func(e Entry) {
		m := mount{at: e.Path}
		// An automounter's trigger mounts when it is touched, and waits for that.
		if m.away = (Remote(e.FSType) || e.FSType == "autofs") && !underKernel(m.at); m.away {
			remote = append(remote, m.at)
		}
		all = append(all, m)
	})
	var out mountpoints
	for _, m := range all {
		if m.away || len(remote) > 0 && On(m.at, remote) >= 0 {
			out.at, out.remote = append(out.at, m.at), append(out.remote, m.away)
		}
	}
	return out, err
}
