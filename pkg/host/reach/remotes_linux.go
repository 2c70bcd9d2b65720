// SPDX-License-Identifier: Apache-2.0

package reach

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/moby/sys/mountinfo"
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
	raw, err := io.ReadAll(io.NewSectionReader(r.file, 0, 1<<30))
	if err != nil {
		return mountpoints{}, fmt.Errorf("read mounts: %w", err)
	}
	if r.known, err = parse(raw); err != nil {
		r.file = nil // read again next time
	}
	return r.known, err
}

func parse(raw []byte) (mountpoints, error) {
	infos, err := mountinfo.GetMountsFromReader(bytes.NewReader(raw), nil)
	if err != nil {
		return mountpoints{}, fmt.Errorf("read mounts: %w", err)
	}
	// An automounter's trigger mounts when it is touched, and waits for that.
	away := func(m *mountinfo.Info) bool {
		return (Remote(m.FSType) || m.FSType == "autofs") && !underKernel(m.Mountpoint)
	}
	var remote []string
	for _, m := range infos {
		if away(m) {
			remote = append(remote, m.Mountpoint)
		}
	}
	var out mountpoints
	for _, m := range infos {
		if away(m) || On(m.Mountpoint, remote) >= 0 {
			out.at, out.remote = append(out.at, m.Mountpoint), append(out.remote, away(m))
		}
	}
	return out, nil
}
