// SPDX-License-Identifier: Apache-2.0

package netlook

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// socket is one that listens, by its inode.
type socket struct {
	proto string
	port  int
	inode string
}

// listeners names the programs that listen on some ports. A socket of the kernel's
// own (VXLAN, Geneve) has no program, and is left out.
func listeners(h part.Host, ports []int) []wire.Listener {
	var open []socket
	for _, file := range []string{"tcp", "tcp6", "udp", "udp6"} {
		raw, err := host.ReadLinked(h.Path("/proc/1/net/"+file), mostOfList)
		if err != nil {
			continue
		}
		for _, s := range listening(strings.TrimSuffix(file, "6"), string(raw)) {
			if slices.Contains(ports, s.port) {
				open = append(open, s)
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	var out []wire.Listener
	names := owners(h, open)
	for _, s := range open {
		l := wire.Listener{Proto: s.proto, Port: s.port, Program: names[s.inode]}
		if l.Program != "" && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// listening reads a table of the kernel's (/proc/net/tcp): sockets in state LISTEN
// (0A), of UDP those that are bound and connected to nothing (07).
func listening(proto, table string) []socket {
	var out []socket
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != "0A" && f[3] != "07" {
			continue
		}
		_, port, found := strings.Cut(f[1], ":")
		raw, err := hex.DecodeString(port)
		if !found || err != nil || len(raw) != 2 || f[9] == "0" {
			continue
		}
		out = append(out, socket{proto: proto, port: int(raw[0])<<8 | int(raw[1]), inode: f[9]})
	}
	return out
}

// mostDescriptors bounds how many open files of all processes are looked at: one user can
// have half a million, and each takes a look.
const mostDescriptors = 200_000

// unfound stands for the program of a socket that was not found within that.
const unfound = "a program that was not looked for any further: the host has too many open files"

// owners finds the names of the processes that hold some sockets.
func owners(h part.Host, open []socket) map[string]string {
	names, left := map[string]string{}, mostDescriptors
	processes, _ := filepath.Glob(h.Path("/proc/[0-9]*")) // the pattern is good
	for _, process := range processes {
		left = ownedBy(process, open, names, left)
		if left == 0 || !slices.ContainsFunc(open, func(s socket) bool { return names[s.inode] == "" }) {
			break
		}
	}
	for _, s := range open {
		if left == 0 && names[s.inode] == "" {
			names[s.inode] = unfound
		}
	}
	return names
}

// ownedBy adds the name of a process for each of the sockets that it holds. It looks at no
// more open files than are left, and returns how many are left then.
func ownedBy(process string, open []socket, names map[string]string, left int) int {
	dir, err := os.Open(process + "/fd")
	if err != nil {
		return left // it has ended
	}
	defer func() { _ = dir.Close() }() // it was read
	for left > 0 {
		const batch = 1000
		fds, err := dir.Readdirnames(min(batch, left))
		left -= len(fds)
		for _, fd := range fds {
			target, err := os.Readlink(dir.Name() + "/" + fd)
			inode, is := strings.CutPrefix(target, "socket:[")
			inode = strings.TrimSuffix(inode, "]")
			if err != nil || !is || !slices.ContainsFunc(open, func(s socket) bool { return s.inode == inode }) {
				continue
			}
			if name, err := host.ReadLinked(process+"/comm", mostOfConfig); err == nil {
				names[inode] = text.Short(string(name), 80)
			}
		}
		if err != nil {
			break
		}
	}
	return left
}
