// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// shimLimit is how long a shim may take to end by itself after its pod was
// removed, and killed ones to be gone.
const shimLimit = 3 * time.Second

// shim is a containerd-shim: the process between containerd and the containers
// of one pod. It runs in containerd's cgroup, not in the pod's, and containerd
// forgets one whose sandbox could not be started to the end: a kubelet that is
// stopped in the middle leaves one at times.
type shim struct {
	pid     int
	sandbox string
}

// strayShims are the shims of pods that the runtime does not list. One that does
// not answer lists none, which proves nothing.
func (t Runtime) strayShims(ctx context.Context) ([]shim, error) {
	all, err := t.shims()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	listed, err := t.Look(ctx)
	if err == nil && len(listed.Unchecked) > 0 {
		err = fmt.Errorf("%s: %s", listed.Unchecked[0].What, listed.Unchecked[0].Why)
	}
	if err != nil {
		return nil, err
	}
	known := t.knownContainers(ctx)
	return slices.DeleteFunc(all, func(s shim) bool { return known(s.sandbox) }), nil
}

// shims are those of this host's own containerd and its pods.
func (t Runtime) shims() ([]shim, error) {
	at, err := t.sockets()
	if err != nil || at.own == "" {
		return nil, err
	}
	var out []shim
	err = host.Processes(func(pid int) bool {
		if sandbox := t.shimOf(pid, at.all()); sandbox != "" {
			out = append(out, shim{pid, sandbox})
		}
		return len(out) < mostPids
	})
	return out, err
}

// The bounds of what is read of a process that says it is a shim: a pod's bundle
// has some hundred KiB.
const (
	mostOfCmdline = 64 << 10
	mostOfBundle  = 8 << 20
)

// shimOf is the sandbox whose shim a process is; empty for every other process.
// A shim says in its arguments of which containerd, namespace and sandbox it is.
// Docker's containers are in another namespace ("moby"), k3s has a socket of its
// own, and a cluster that runs in containers on this host other mounts. In the
// namespace of pods people run containers of their own, too (nerdctl -n k8s.io):
// a pod's has the marks of the runtime's CRI plugin in its bundle, which is the
// shim's working directory. One that does not show them is foreign. Every user
// may call a program so: a shim is root's, and so is its program.
func (t Runtime) shimOf(pid int, sockets []string) string {
	dir := fmt.Sprintf("/proc/%d", pid)
	raw, err := host.ReadPlain(filepath.Join(dir, "cmdline"), mostOfCmdline)
	if err != nil || !bytes.Contains(raw, []byte("containerd-shim")) || !roots(dir) {
		return ""
	}
	program, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil || !strings.HasPrefix(filepath.Base(program), "containerd-shim") || !t.SharesMounts(pid) {
		return ""
	}
	id := shimArguments(raw, sockets...)
	if id == "" {
		return ""
	}
	bundle, err := host.Local{Proc: t.Proc}.ReadPlain(filepath.Join(dir, "cwd/config.json"), mostOfBundle)
	switch {
	case err == nil && bytes.Contains(bundle, []byte(`"io.kubernetes.cri.container-type"`)):
		return id
	case errors.Is(err, os.ErrNotExist) && idle(dir):
		return id
	}
	return ""
}

// shimArguments is the sandbox that the arguments of a shim name, if they are
// those of a pod's shim of the containerd at one of some sockets; empty if not.
func shimArguments(cmdline []byte, sockets ...string) string {
	arguments := strings.Split(string(cmdline), "\x00")
	value := func(name string) string {
		if i := slices.Index(arguments, name); i >= 0 && i+1 < len(arguments) {
			return arguments[i+1]
		}
		return ""
	}
	run := func(path string) string { return strings.TrimPrefix(path, "/var") } // /var/run is /run
	of := func(socket string) bool { return run(value("-address")) == run(socket) }
	if value("-namespace") != "k8s.io" || !slices.ContainsFunc(sockets, of) {
		return ""
	}
	return value("-id")
}

// roots reports whether a process is root's in every way, and its program is a
// file of root's that root alone may write.
func roots(dir string) bool {
	status, err := host.ReadHead(filepath.Join(dir, "status"), mostOfCmdline)
	uids := regexp.MustCompile(`(?m)^Uid:((?:\s+\d+){4})$`).FindSubmatch(status)
	if err != nil || uids == nil || strings.Join(strings.Fields(string(uids[1])), "") != "0000" {
		return false
	}
	var program unix.Stat_t
	err = unix.Stat(filepath.Join(dir, "exe"), &program)
	return err == nil && program.Uid == 0 && program.Mode&0o022 == 0
}

// idle reports whether a shim's bundle was deleted, which containerd does once it
// has taken the shim's task away, and nothing runs under the shim any more: whosever
// it was, it serves nothing. The kubelet that is stopped while a container is being
// created leaves one like this.
func idle(dir string) bool {
	at, err := os.Readlink(filepath.Join(dir, "cwd"))
	if err != nil || !strings.HasSuffix(at, " (deleted)") {
		return false
	}
	threads, err := filepath.Glob(filepath.Join(dir, "task/*/children"))
	if err != nil || len(threads) == 0 {
		return false // it cannot be read
	}
	return !slices.ContainsFunc(threads, func(path string) bool {
		children, err := host.ReadHead(path, mostOfCmdline)
		return err != nil || len(bytes.TrimSpace(children)) > 0
	})
}

// endShims waits until no stray shim is left, and kills those that do not end by
// themselves; containerd takes away what it had mounted for them.
func (t Runtime) endShims(ctx context.Context, report plan.Report) error {
	began := time.Now()
	for {
		stray, err := t.strayShims(ctx)
		switch {
		case err != nil || len(stray) == 0:
			return err
		case time.Since(began) > 2*shimLimit:
			return fmt.Errorf("%d shims of pods that are gone do not end", len(stray))
		}
		if time.Since(began) > shimLimit {
			for _, s := range stray {
				report("killing the shim of a pod that is gone (pid %d)", s.pid)
				err = errors.Join(err, t.killShim(s))
			}
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// killShim kills the process that is this shim still.
func (t Runtime) killShim(s shim) error {
	at, err := t.sockets()
	if err != nil {
		return err
	}
	return killIf(s.pid, func() bool { return t.shimOf(s.pid, at.all()) == s.sandbox })
}

// endLimit is how long a killed process gets to end; one that hangs in the kernel
// does not.
const endLimit = time.Second

// killIf kills the process that has a pid now, if it is still the one that is
// meant: the descriptor makes sure that it is the same one, and tells when it has
// ended (Linux 5.3).
func killIf(pid int, meant func() bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("kill pid %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if !meant() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill pid %d: %w", pid, err)
	}
	for deadline := time.Now().Add(endLimit); time.Now().Before(deadline); {
		left := int(time.Until(deadline).Milliseconds())
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, left); !errors.Is(err, unix.EINTR) {
			break // ended, or it cannot be read: the proof reads it again
		}
	}
	return nil
}
