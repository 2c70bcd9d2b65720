// SPDX-License-Identifier: Apache-2.0

package control

import (
	"path"
	"slices"
	"strings"
)

// listener is a socket that listens at a port.
type listener struct {
	// uid is whose it is, inode its number.
	uid, inode string
}

// listeners are the sockets of a table of the kernel's (/proc/net/tcp) that listen at a port,
// whatever the address (state 0A, net/tcp_states.h).
func listeners(table, port string) []listener {
	var out []listener
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != "0A" {
			continue
		}
		if _, at, is := strings.Cut(f[1], ":"); is && at == port {
			out = append(out, listener{uid: f[7], inode: f[9]})
		}
	}
	return out
}

// isKubernetes reports whether a process of root's is a kubelet, or what a kubelet runs of a
// control plane: by its program, or its unit.
func isKubernetes(program, cgroup string) bool {
	own := []string{"kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "hyperkube"}
	return slices.Contains(own, path.Base(strings.TrimSuffix(program, " (deleted)"))) || strings.Contains(cgroup, "/"+Unit) ||
		strings.Contains(cgroup, "kubepods")
}
