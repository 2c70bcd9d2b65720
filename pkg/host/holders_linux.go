// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
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

// Holders finds the processes that use a mount, in order of their pid, our own
// left out. It reads /proc only and never looks at the mount itself.
func (l Local) Holders(m Mount) []Holder {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var out []Holder
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if how := l.holds(dir, m); how != "" {
			pod, container := cgroupOf(dir)
			out = append(out, Holder{PID: pid, Command: command(dir), How: how, Pod: pod, Container: container})
		}
	}
	slices.SortFunc(out, func(a, b Holder) int { return a.PID - b.PID })
	return out
}

// holds says how a process uses a mount; empty means not at all. A path means
// the same to it as to us only in the same mount namespace; elsewhere the
// mount's id must agree, for which the file is opened without being looked at,
// and even that is not tried on a mount that may hang.
func (l Local) holds(dir string, m Mount) string {
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
	open, _ := os.ReadDir(filepath.Join(dir, "fd"))
	for _, fd := range open {
		info, err := os.ReadFile(filepath.Join(dir, "fdinfo", fd.Name()))
		if err == nil && strings.Contains(string(info), "mnt_id:\t"+strconv.Itoa(m.ID)+"\n") {
			target, _ := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
			return "open file " + target
		}
	}
	maps, _ := os.ReadFile(filepath.Join(dir, "maps"))
	if here && strings.Contains(string(maps), " "+strings.TrimSuffix(at, "/")+"/") {
		return "mapped file"
	}
	return ""
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
	id, err := mountID(fd)
	return err == nil && id == mount
}

func command(dir string) string {
	line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	words := strings.Fields(strings.ReplaceAll(string(line), "\x00", " "))
	if len(words) > 0 {
		return filepath.Base(words[0])
	}
	name, _ := os.ReadFile(filepath.Join(dir, "comm"))
	return strings.TrimSpace(string(name))
}

// cgroupOf finds the pod and the container of a process by the names that the
// kubelet gives its cgroups: …/kubepods-besteffort-pod<uid with _>.slice/
// cri-containerd-<id>.scope (systemd) or /kubepods/besteffort/pod<uid>/<id>.
func cgroupOf(dir string) (pod, container string) {
	raw, err := os.ReadFile(filepath.Join(dir, "cgroup"))
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
