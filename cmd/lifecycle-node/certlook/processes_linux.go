// SPDX-License-Identifier: Apache-2.0

package certlook

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

const (
	mostOfLine = 64 << 10
	// ticks is USER_HZ, the unit of /proc/PID/stat, which is 100 on all of Linux'
	// architectures that Kubernetes runs on.
	ticks = 100
	// slack is what the times of a file and of a process may be apart.
	slack = time.Second
)

// Process is the program of a static pod.
type Process struct {
	PID     int
	Started time.Time
}

// earlier is the one of two that was started first; the zero value is none.
func (p Process) earlier(other Process) Process {
	if p.PID == 0 || other.Started.Before(p.Started) {
		return other
	}
	return p
}

// StaticPod finds the process of a static pod of this host, by the name of its program.
// Others may run an etcd or an API server of their own, in a pod, too: it has to be in a
// pod, and to have exactly the flags of the manifest. A tenant can start one like that; so
// of several the first one that was started counts, and no later one makes an old
// certificate look as if it were out of use.
func StaticPod(files Files, program string) (found Process, err error) {
	manifest, err := host.ReadPlain(files.path("etc/kubernetes/manifests/"+program+".yaml"), certs.MostOfFile)
	if err != nil {
		return found, err
	}
	flags := certs.Flags(manifest)
	err = host.Processes(func(pid int) bool {
		dir := "/proc/" + strconv.Itoa(pid)
		if len(flags) == 0 || !runs(dir, program, flags) {
			return true
		}
		if started, err := startOf(dir); err == nil {
			found = found.earlier(Process{pid, started})
		}
		return true
	})
	if err == nil && found.PID == 0 {
		err = fmt.Errorf("no process of a pod has the flags of %s's manifest", program)
	}
	return found, err
}

// End asks a process to end, if it is still the one that was found.
func (p Process) End() error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.PID, err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	if started, err := startOf("/proc/" + strconv.Itoa(p.PID)); err != nil || started.Sub(p.Started).Abs() > slack {
		return nil // it has ended, and another one has its number
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("end process %d: %w", p.PID, err)
	}
	return nil
}

// runs reports whether a process is a program in a pod, with some flags and no others.
func runs(dir, program string, flags map[string]string) bool {
	comm, err := host.ReadHead(dir+"/comm", mostOfLine)
	// The kernel cuts names to 15 characters.
	if err != nil || strings.TrimSpace(string(comm)) != program[:min(len(program), 15)] {
		return false
	}
	cgroup, err := host.ReadHead(dir+"/cgroup", mostOfLine)
	if err != nil || !bytes.Contains(cgroup, []byte("kubepods")) {
		return false
	}
	line, err := host.ReadHead(dir+"/cmdline", mostOfLine)
	return err == nil && maps.Equal(flagsOf(line), flags)
}

// flagsOf are the flags of a command line, as the kernel has it.
func flagsOf(line []byte) map[string]string {
	flags := map[string]string{}
	for _, argument := range bytes.Split(line, []byte{0}) {
		if flag, is := strings.CutPrefix(string(argument), "--"); is {
			name, value, _ := strings.Cut(flag, "=")
			flags[name] = value
		}
	}
	return flags
}

// startOf is when a process was started: field 22 of its stat, since boot.
func startOf(dir string) (time.Time, error) {
	raw, err := host.ReadHead(dir+"/stat", mostOfLine)
	if err != nil {
		return time.Time{}, err
	}
	// The name, which may hold anything, is in brackets.
	_, after, _ := strings.Cut(string(raw[max(0, bytes.LastIndexByte(raw, ')')):]), " ")
	fields := strings.Fields(after)
	if len(fields) < 20 {
		return time.Time{}, os.ErrInvalid
	}
	since, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Time{}, err
	}
	age := time.Duration(now.Nano()) - time.Duration(since)*(time.Second/ticks)
	return time.Now().Add(-age), nil
}

// before says of a kubeconfig whether the program that uses it was started before it was
// written; nil where none runs. The controller manager and the scheduler parse the
// certificate in theirs when they start, and never again (client-go reloads files only).
func before(files Files, row certs.Row) *certs.Served {
	program := map[string]string{"controller-manager.conf": "kube-controller-manager", "scheduler.conf": "kube-scheduler"}[row.Name]
	if program == "" {
		return nil
	}
	p, err := StaticPod(files, program)
	if err != nil {
		return nil
	}
	info, err := files.Stat(strings.TrimPrefix(row.Where, "/"))
	if err != nil {
		return nil
	}
	return written(p, info.ModTime())
}

// written compares the start of a program with when its file was written.
func written(p Process, at time.Time) *certs.Served {
	return &certs.Served{At: "process " + strconv.Itoa(p.PID), Before: at.Sub(p.Started) > slack}
}
