// SPDX-License-Identifier: Apache-2.0

package certlook

import (
	"bytes"
	"os"
	"path/filepath"
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

// process is a program that reads its kubeconfig once.
type process struct {
	pid     int
	started time.Time
}

// running are those programs, by the paths of their kubeconfigs.
type running map[string]process

// processes finds the controller manager and the scheduler: they parse the certificate in
// their kubeconfig when they start, and never again (client-go reloads files only). Of two
// that have the same kubeconfig the one that was started last counts.
func processes(files Files) running {
	all := running{}
	_ = host.Processes(func(pid int) bool { // what cannot be listed is not found
		dir := filepath.Join(files.path("proc"), strconv.Itoa(pid))
		name, err := host.ReadHead(dir+"/comm", mostOfLine)
		comm := strings.TrimSpace(string(name))
		// The kernel cuts names to 15 characters.
		if err != nil || comm != "kube-controller" && comm != "kube-scheduler" {
			return true
		}
		kubeconfig := kubeconfigOf(dir)
		started, err := startOf(dir)
		if kubeconfig != "" && err == nil && started.After(all[kubeconfig].started) {
			all[kubeconfig] = process{pid, started}
		}
		return true
	})
	return all
}

// kubeconfigOf is the value of the flag --kubeconfig of a process.
func kubeconfigOf(dir string) string {
	raw, err := host.ReadHead(dir+"/cmdline", mostOfLine)
	if err != nil {
		return ""
	}
	for _, argument := range bytes.Split(raw, []byte{0}) {
		if value, is := strings.CutPrefix(string(argument), "--kubeconfig="); is {
			return value
		}
	}
	return ""
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

// before says of a kubeconfig that the program which uses it was started before it was
// written; nil where no such program runs.
func (r running) before(files Files, row certs.Row) *certs.Served {
	p, runs := r[row.Where]
	if !runs {
		return nil
	}
	info, err := files.Stat(strings.TrimPrefix(row.Where, "/"))
	if err != nil {
		return nil
	}
	return &certs.Served{At: "process " + strconv.Itoa(p.pid), Before: info.ModTime().Sub(p.started) > slack}
}
