// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// A kubelet writes a directory a pod. What others have beside them is named, up to a
// bound.
const (
	mostLogs  = 50_000
	mostOther = 16
)

// addLink adds a path that goes whole, if it is a link to a directory instead: that is an
// administrator's, and so is the link. What is behind it is not told from what was
// there, unless it is the kubelet's logs, which have names of their own.
func (t Disk) addLink(s *part.Findings, p inventory.OwnPath) bool {
	if _, err := t.Readlink(p.Path); err != nil {
		return false
	}
	if !t.AtHome(p.Path) { // not looked at: that may hang
		s.NotLookedAt(inventory.KindDir, p.Path, "it leads to another machine's file system")
		return true
	}
	real := t.Resolve(p.Path)
	if !t.IsDir(real) {
		return false
	}
	logs := p.Path == inventory.PodLogsDir || p.Path == inventory.ContainerLogsDir
	t.AddForeign(s, p.Path, "a link that an administrator made")
	if names, err := t.Names(real); !logs && (err != nil || len(names) > 0) {
		s.Items[len(s.Items)-1].Refers = fmt.Sprintf("it leads to %s, which is not empty, and %s keeps its files there", real, p.Owner)
	}
	return true
}

// lookLogs lists what a kubelet has written of its pods' logs where its podLogsDir, or a
// link in the place of the usual directory, leads. Others may keep things there: the
// directory itself stays, and so does what has no name that a kubelet makes.
func (t Disk) lookLogs(s *part.Findings, mounts []host.Mount) {
	seen := []string{}
	for _, d := range []struct{ kind, path string }{
		{inventory.PodLogsDir, inventory.PodLogsDir}, {inventory.ContainerLogsDir, inventory.ContainerLogsDir},
		{inventory.PodLogsDir, t.Places().PodLogs},
	} {
		if !t.AtHome(d.path) {
			s.NotLookedAt(inventory.KindDir, d.path, "another machine's file system is mounted there")
			continue
		}
		usual := filepath.Join(t.Resolve(filepath.Dir(d.kind)), filepath.Base(d.kind))
		real := t.Resolve(d.path)
		if real == usual || host.Below(real, usual) || slices.Contains(seen, real) {
			continue // it goes whole
		}
		seen = append(seen, real)
		shows := func(m host.Mount) bool {
			return m.Path == real && !m.Alone(slices.DeleteFunc(slices.Clone(mounts), t.Ours(mounts)))
		}
		switch at := slices.IndexFunc(mounts, shows); {
		case !t.AtHome(real):
			s.NotLookedAt(inventory.KindDir, real, "another machine's file system is mounted there")
		case at >= 0:
			s.Add(inventory.Item{
				Kind: inventory.KindDir, Name: real, Owner: inventory.Foreign, Fate: inventory.Stays,
				Detail: string(mounts[at].Class()) + BoundAt(mounts[at]), Refers: "the kubelet writes the logs of its pods there",
				Why: "a mount of an administrator's, through which nothing is deleted",
			})
		default:
			s.Missed(inventory.KindDir, real, t.lookLogsIn(s, d.kind, real))
		}
	}
}

// lookLogsIn lists one directory of logs.
func (t Disk) lookLogsIn(s *part.Findings, kind, dir string) error {
	// What is there instead may be a FIFO, which would be waited for.
	f, err := t.Open(dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was read
	entries, err := f.ReadDir(mostLogs + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch n := len(entries); {
	case n == 0:
		s.Add(inventory.Item{Kind: inventory.KindDir, Name: dir, Owner: inventory.Kubelet, Fate: inventory.Harmless, Detail: "empty",
			Why: "an administrator named it to the kubelet"})
	case n > mostLogs: // nothing goes of what is not known whole
		s.NotLookedAt(inventory.KindDir, dir, fmt.Sprintf("it has more than %d entries", mostLogs))
		return nil
	}
	other, made := 0, madeBy(kind)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case made(e.Name(), e.Type()):
			t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: path})
		case slices.ContainsFunc(s.Items, func(it inventory.Item) bool { return it.Name == path }):
		case other == mostOther:
			s.Add(inventory.Item{Kind: inventory.KindDir, Name: dir, Owner: inventory.Foreign, Fate: inventory.Stays,
				Why: "more in it is nothing that a kubelet makes"})
			other++
		case other < mostOther:
			t.AddForeign(s, path, "nothing that a kubelet makes")
			other++
		}
	}
	return nil
}

// lookVolumePlugins lists the plugins of volumes that the kubelet was given: Calico's
// driver of its agent's socket, which comes with its agent, goes if it is younger than the
// join; the others stay.
func (t Disk) lookVolumePlugins(s *part.Findings) {
	dirs := []string{inventory.VolumePluginDir, t.Places().VolumePlugins}
	for _, dir := range slices.Compact(dirs) {
		if !t.AtHome(dir) {
			continue // not looked at: that may hang, and an administrator has put it there
		}
		for _, name := range t.listed(s, dir, mostPlugins) {
			path := filepath.Join(dir, name)
			if name == "nodeagent~uds" && t.IsDir(path) && t.Younger(path) {
				t.addNodeAgent(s, path)
				continue
			}
			t.AddForeign(s, path, "a plugin of the kubelet's, which was given to it")
			if name == "nodeagent~uds" {
				t.doubt(s)
			}
		}
		t.AddHollow(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: dir}) // the kubelet makes it
	}
}

// mostPlugins is how many plugins of volumes are listed, and how many files of one.
const mostPlugins = 512

// addNodeAgent adds what is in the directory of Calico's driver (projectcalico/calico,
// pod2daemon/flexvol: one program, and one that is being written), which Istio's drivers have used,
// too: what else is there stays.
func (t Disk) addNodeAgent(s *part.Findings, dir string) {
	for _, name := range t.listed(s, dir, mostPlugins) {
		if path := filepath.Join(dir, name); name == "uds" || name == ".uds" {
			t.AddPath(s, inventory.OwnPath{Owner: inventory.Calico, Path: path})
		} else {
			t.AddForeign(s, path, "a driver beside Calico's")
			t.doubt(s)
		}
	}
	t.AddHollow(s, inventory.OwnPath{Owner: inventory.Calico, Path: dir})
}

// remadeFile is where a removal notes the directories that were there again after it had
// removed them.
const remadeFile = "remade"

// nameRemade names the directories that another program makes again: one that is empty does
// nothing.
func (t Disk) nameRemade(s *part.Findings) error {
	is, err := t.Saved(remadeFile)
	if err != nil || !is {
		return err
	}
	raw, err := host.ReadPlain(filepath.Join(t.Path(t.StateDir), remadeFile), part.MostOfFile)
	if err != nil {
		return fmt.Errorf("read what another program made again: %w", err)
	}
	remade := strings.Split(string(raw), "\x00")
	for i := range s.Items {
		it := &s.Items[i]
		if it.Kind != inventory.KindDir || it.Fate != inventory.Goes || !slices.Contains(remade, it.Name) {
			continue
		}
		it.Fate, it.Why = inventory.Harmless, "empty; a program that still runs on this host made it again"
		if names, err := t.Names(it.Name); err != nil || len(names) > 0 {
			it.Owner, it.Fate, it.Why = inventory.Foreign, inventory.Stays, "it was removed twice"
			it.Refers = "a program that still runs on this host makes it again"
		}
	}
	return nil
}

// spareUsed keeps what another kubelet on this host uses in the two directories that no flag
// moves elsewhere: sockets in which a program of its listens (k8s.io/kubelet,
// pkg/apis/deviceplugin/v1beta1), and links to logs that are not of this kubelet's pods
// (pkg/kubelet/kuberuntime/legacy.go). All else there goes.
func (t Disk) spareUsed(s *part.Findings) {
	for _, in := range []struct {
		dir  string
		used func(path string, e fs.DirEntry) string
	}{
		{filepath.Join(t.KubeadmDir(), "device-plugins"), t.heard}, {t.Resolve(inventory.ContainerLogsDir), t.loggedElsewhere},
	} {
		goes := func(it inventory.Item) bool {
			return it.Fate == inventory.Goes && (it.Name == in.dir || filepath.Dir(it.Name) == in.dir)
		}
		if !slices.ContainsFunc(s.Items, goes) {
			continue
		}
		entries, more, err := t.Some(in.dir, mostLogs)
		s.Missed(inventory.KindDir, in.dir, err)
		if more {
			s.NotLookedAt(inventory.KindDir, in.dir, fmt.Sprintf("in part, for what another kubelet uses; it has more than %d entries", mostLogs))
		}
		kept := map[string]string{}
		for _, e := range entries {
			if why := in.used(filepath.Join(in.dir, e.Name()), e); why != "" {
				kept[filepath.Join(in.dir, e.Name())] = why
			}
		}
		if len(kept) == 0 {
			continue
		}
		whole := slices.ContainsFunc(s.Items, func(it inventory.Item) bool { return it.Fate == inventory.Goes && it.Name == in.dir })
		s.Items = slices.DeleteFunc(s.Items, func(it inventory.Item) bool { return goes(it) && (it.Name == in.dir || kept[it.Name] != "") })
		for _, e := range entries {
			switch path := filepath.Join(in.dir, e.Name()); {
			case kept[path] != "":
				t.AddForeign(s, path, kept[path])
			case whole:
				t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: path})
			}
		}
	}
}

// loggedElsewhere says that a link leads to a log of another kubelet's pods; empty for one of
// this kubelet's, and for one that leads to nothing.
func (t Disk) loggedElsewhere(path string, e fs.DirEntry) string {
	to, err := t.Readlink(path)
	if err != nil || e.Type()&fs.ModeSymlink == 0 {
		return ""
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(path), to)
	}
	for _, logs := range []string{inventory.PodLogsDir, t.Places().PodLogs} {
		if host.Below(to, logs) || host.Below(to, t.Resolve(logs)) {
			return ""
		}
	}
	if is, err := t.Exists(to); err == nil && !is {
		return ""
	}
	return "it leads to " + to + ", which is no log of this kubelet's pods"
}

// heard says which program of this host's listens in a socket: none of a pod's, and not the
// kubelet that goes. Empty if there is none.
func (t Disk) heard(path string, e fs.DirEntry) string {
	if e.Type()&fs.ModeSocket == 0 {
		return ""
	}
	dir, err := t.Open(filepath.Dir(path), true) // its own path may be too long for a socket's address
	if err != nil {
		return ""
	}
	defer func() { _ = dir.Close() }() // nothing was written
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer func() { _ = unix.Close(fd) }()
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), e.Name())})
	if errors.Is(err, unix.EAGAIN) { // more wait there than it takes: it is alive
		return "a program listens there"
	}
	peer, unknown := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || unknown != nil {
		return "" // nothing listens there any more
	}
	at := "/proc/" + strconv.Itoa(int(peer.Pid))
	cgroup, _ := host.ReadPlain(at+"/cgroup", 1<<16)
	if strings.Contains(string(cgroup), "/kubelet.service") || strings.Contains(string(cgroup), "kubepods") {
		return ""
	}
	name, _ := host.ReadPlain(at+"/comm", 1<<16)
	return fmt.Sprintf("a program listens there that is neither this kubelet nor a pod's: %s (pid %d)", strings.TrimSpace(string(name)),
		peer.Pid)
}
