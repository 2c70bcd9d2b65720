// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/tree"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Holder is a process that uses a mount.
type Holder struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
	// How it uses it: "working directory", "open file …", "root directory",
	// "program", "mapped file".
	How string `json:"how"`
	// Pod and Container are the ids found in its cgroup; empty for a process
	// of the host's own.
	Pod       string `json:"pod,omitempty"`
	Container string `json:"container,omitempty"`
}

// String is "tail (pid 412, open file /x/log, pod 1f…)".
func (h Holder) String() string {
	s := fmt.Sprintf("%s (pid %d, %s", h.Command, h.PID, h.How)
	if h.Pod != "" {
		s += ", pod " + h.Pod
	}
	if h.Container != "" {
		s += ", container " + h.Container[:min(12, len(h.Container))]
	}
	return s + ")"
}

// The bounds of a search for holders: what a person is told is no more than
// this, and a process with a million files must not hide the rest.
const (
	mostHolders = 20
	mostOpen    = 1 << 16
	mostOfProc  = 16 << 10
	mostOfMaps  = 16 << 20
	searchLimit = 10 * time.Second
)

// search is one for holders.
type search struct {
	deadline time.Time
	// cut says that it ended before all was looked at.
	cut bool
}

// goesOn reports whether there is time left; if not, the search is cut.
func (s *search) goesOn() bool {
	s.cut = s.cut || !time.Now().Before(s.deadline)
	return !s.cut
}

// Holders finds processes that use a mount, in order of their pid, our own left
// out: twenty at most, and within ten seconds. It reads /proc only and never
// looks at the mount itself. It reports whether there may be more.
func (l Local) Holders(m Mount) (out []Holder, more bool) {
	s := &search{deadline: time.Now().Add(searchLimit)}
	err := Processes(func(pid int) bool {
		if pid == os.Getpid() {
			return true
		}
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		if how := l.holds(dir, m, s); how != "" {
			if len(out) == mostHolders {
				s.cut = true
				return false
			}
			pod, container := cgroupOf(dir)
			out = append(out, Holder{PID: pid, Command: command(dir), How: text.Short(how, 300), Pod: pod, Container: container})
		}
		return s.goesOn()
	})
	slices.SortFunc(out, func(a, b Holder) int { return a.PID - b.PID })
	return out, s.cut || err != nil
}

// holds says how a process uses a mount; empty means not at all. A path means
// the same to it as to us only in the same mount namespace; elsewhere the
// mount's id must agree, for which the file is opened without being looked at,
// and even that is not tried on a mount that may hang.
func (l Local) holds(dir string, m Mount, s *search) string {
	at := l.Path(m.Path)
	here := sameNamespace(dir, l.proc())
	on := func(link string) bool {
		target, err := os.Readlink(filepath.Join(dir, link))
		if err != nil || here {
			return err == nil && (target == at || Below(target, at))
		}
		return m.Class() != Remote && opensIn(filepath.Join(dir, link), m.ID)
	}
	for _, use := range []struct{ link, how string }{{"cwd", "working directory"}, {"root", "root directory"}, {"exe", "program"}} {
		if on(use.link) {
			return use.how
		}
	}
	if target, found := s.opened(dir, m.ID); found {
		return "open file " + target
	}
	if here && s.maps(filepath.Join(dir, "maps"), " "+strings.TrimSuffix(at, "/")+"/") {
		return "mapped file"
	}
	return ""
}

// Users finds processes of the host's own that use something at or below one of some paths, by
// one look at all processes: twenty at most, and within ten seconds. Those of pods are left out,
// and those that see other mounts, for which a path means something else; so are those in the
// cgroups of some units, and our own. It reads /proc only, and reports whether there may be more.
func (l Local) Users(paths []string, units ...string) (out []Holder, more bool) {
	s := &search{deadline: time.Now().Add(searchLimit)}
	in := func(target string) bool {
		return slices.ContainsFunc(paths, func(path string) bool { at := l.Path(path); return target == at || Below(target, at) })
	}
	err := Processes(func(pid int) bool {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		if pid == os.Getpid() || !sameNamespace(dir, l.proc()) {
			return s.goesOn()
		}
		if how := s.uses(dir, in); how != "" && !inUnits(dir, units) {
			if len(out) == mostHolders {
				s.cut = true
				return false
			}
			out = append(out, Holder{PID: pid, Command: command(dir), How: text.Short(how, 300)})
		}
		return s.goesOn()
	})
	slices.SortFunc(out, func(a, b Holder) int { return a.PID - b.PID })
	return out, s.cut || err != nil
}

// uses says how a process uses something at some paths; empty means not at all.
func (s *search) uses(dir string, in func(target string) bool) string {
	for _, use := range []struct{ link, how string }{{"cwd", "working directory"}, {"root", "root directory"}, {"exe", "program"}} {
		if target, err := os.Readlink(filepath.Join(dir, use.link)); err == nil && in(target) {
			return use.how + " " + target
		}
	}
	files, err := os.Open(filepath.Join(dir, "fd"))
	if err != nil {
		return ""
	}
	defer func() { _ = files.Close() }() // it was read
	how, n := "", 0
	_ = eachName(files, func(name string) bool { // or it has ended
		if target, err := os.Readlink(filepath.Join(dir, "fd", name)); err == nil && in(target) {
			how = "open file " + target
		}
		if n++; n == mostOpen && how == "" {
			s.cut = true
			return false
		}
		return how == "" && (n%batch != 0 || s.goesOn())
	})
	return how
}

// inUnits reports whether a process is in the cgroup of a unit of some names, or of a pod.
func inUnits(dir string, units []string) bool {
	raw, err := ReadHead(filepath.Join(dir, "cgroup"), mostOfProc)
	return err != nil || strings.Contains(string(raw), "kubepods") || slices.ContainsFunc(units, func(unit string) bool {
		return strings.Contains(string(raw), "/"+unit+"\n") || strings.Contains(string(raw), "/"+unit+"/")
	})
}

// opened finds a file that a process has open on a mount.
func (s *search) opened(dir string, mount int) (target string, found bool) {
	files, err := os.Open(filepath.Join(dir, "fd"))
	if err != nil {
		return "", false
	}
	defer func() { _ = files.Close() }() // it was read
	sign, n := "mnt_id:\t"+strconv.Itoa(mount)+"\n", 0
	_ = eachName(files, func(name string) bool { // or it has ended
		info, err := ReadHead(filepath.Join(dir, "fdinfo", name), mostOfProc) // it begins with that
		if err == nil && strings.Contains(string(info), sign) {
			target, _ = os.Readlink(filepath.Join(dir, "fd", name))
			found = true
		}
		if n++; n == mostOpen && !found {
			s.cut = true
			return false
		}
		return !found && (n%batch != 0 || s.goesOn())
	})
	return target, found
}

// maps reports whether a file of /proc/PID/maps names something, line by line.
func (s *search) maps(path, what string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was read
	limited := &io.LimitedReader{R: f, N: mostOfMaps}
	lines := bufio.NewScanner(limited)
	for lines.Scan() {
		if strings.Contains(lines.Text(), what) {
			return true
		}
	}
	s.cut = s.cut || limited.N <= 0 || lines.Err() != nil && !errors.Is(lines.Err(), unix.ESRCH)
	return false
}

// SharesMounts reports whether a process sees the host's mounts; false for one
// that has ended, and for one in a container.
func (l Local) SharesMounts(pid int) bool {
	return sameNamespace(fmt.Sprintf("/proc/%d", pid), l.proc())
}

// sameNamespace reports whether two processes see the same mounts.
func sameNamespace(a, b string) bool {
	one, err := os.Readlink(filepath.Join(a, "ns/mnt"))
	other, err2 := os.Readlink(filepath.Join(b, "ns/mnt"))
	return err == nil && err2 == nil && one == other
}

// opensIn reports whether a file lies in the mount of an id.
func opensIn(path string, mount int) bool {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	id, err := tree.MountID(fd)
	return err == nil && id == mount
}

// command is the name of a process's program, as the process itself tells.
func command(dir string) string {
	line, _ := ReadHead(filepath.Join(dir, "cmdline"), mostOfProc)
	words := strings.Fields(strings.ReplaceAll(string(line), "\x00", " "))
	if len(words) > 0 {
		return text.Short(filepath.Base(words[0]), 64)
	}
	name, _ := ReadHead(filepath.Join(dir, "comm"), mostOfProc)
	return text.Short(string(name), 64)
}

// cgroupOf finds the pod and the container of a process by the names that the
// kubelet gives its cgroups: …/kubepods-besteffort-pod<uid with _>.slice/
// cri-containerd-<id>.scope (systemd) or /kubepods/besteffort/pod<uid>/<id>.
func cgroupOf(dir string) (pod, container string) {
	raw, err := ReadHead(filepath.Join(dir, "cgroup"), mostOfProc)
	if err != nil {
		return "", ""
	}
	return podOfCgroup(string(raw))
}

func podOfCgroup(cgroup string) (pod, container string) {
	uid := regexp.MustCompile(`kubepods[^\n]*pod([0-9a-f]{8}[-_0-9a-f]{28}|[0-9a-f]{32})`)
	if found := uid.FindStringSubmatch(cgroup); found != nil {
		pod = strings.ReplaceAll(found[1], "_", "-")
	}
	id := regexp.MustCompile(`[0-9a-f]{64}`)
	if found := id.FindAllString(cgroup, -1); pod != "" && found != nil {
		container = found[len(found)-1]
	}
	return pod, container
}
