// SPDX-License-Identifier: Apache-2.0

package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// Ports are those that kubeadm wants free before a join and that are taken: by Kubernetes,
// or by whom cannot be told, and by others. Every user may listen there, and that is no
// sign that the kubelet runs.
func (t Control) Ports() (blocking []string, foreign []inventory.Item) {
	for _, port := range t.ports() {
		if !taken(port) {
			continue
		}
		others, err := t.othersAt(port)
		if err != nil || len(others) == 0 {
			blocking = append(blocking, "port "+port+" is in use")
			continue
		}
		foreign = append(foreign, inventory.Item{
			Kind: inventory.KindProcess, Name: "listener at port " + port, Owner: inventory.Foreign, Fate: inventory.Stays,
			Why: "no program of Kubernetes", Refers: "a program of user " + others[0] + " listens at port " + port +
				", which kubeadm join wants to be free: see ss -ltnp",
		})
	}
	return blocking, foreign
}

// othersAt are the users whose sockets listen at a port; none where one is, or may be, of
// Kubernetes.
func (t Control) othersAt(port string) ([]string, error) {
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	var found []listener
	for _, table := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
		raw, err := host.ReadPlain(table, mostOfTable)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		found = append(found, listeners(string(raw), fmt.Sprintf("%04X", number))...)
	}
	var users, roots []string
	for _, l := range found {
		users = append(users, l.uid)
		if l.uid == "0" {
			roots = append(roots, "socket:["+l.inode+"]")
		}
	}
	if len(roots) > 0 {
		ours, err := kubernetesHas(roots)
		if err != nil || ours {
			return nil, err
		}
	}
	return users, nil
}

// mostOfTable bounds what is read of the sockets of a host: a hundred thousand.
const mostOfTable = 16 << 20

// kubernetesHas reports whether a process of Kubernetes has one of some sockets.
func kubernetesHas(sockets []string) (has bool, err error) {
	err = host.Processes(func(pid int) bool {
		dir := "/proc/" + strconv.Itoa(pid)
		program, _ := os.Readlink(dir + "/exe") // none of a kernel's thread, or of one that has ended
		cgroup, _ := host.ReadPlain(dir+"/cgroup", part.MostOfFile)
		if program == "" || !isKubernetes(program, string(cgroup)) {
			return true
		}
		open, _ := os.ReadDir(filepath.Join(dir, "fd"))
		has = slices.ContainsFunc(open, func(e os.DirEntry) bool {
			to, err := os.Readlink(filepath.Join(dir, "fd", e.Name()))
			return err == nil && slices.Contains(sockets, to)
		})
		return !has
	})
	return has, err
}

// ports are those that kubeadm wants free before a join.
func (t Control) ports() []string {
	if t.Facts.ControlPlane {
		return []string{"10250", "6443", "10257", "10259", "2379", "2380"}
	}
	return []string{"10250"}
}

// taken reports whether something listens on a TCP port, as kubeadm finds out:
// by listening there.
func taken(port string) bool {
	l, err := net.Listen("tcp", ":"+port) //nolint:noctx // it returns at once
	if err != nil {
		return true
	}
	_ = l.Close()
	return false
}
