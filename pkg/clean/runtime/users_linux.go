// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// Users are what runs on a host and needs its network: namespace/name, sorted.
type Users struct{ Pods, Agents []string }

// Users lists the pods that run in the network of the scope, and its agents, whose names
// begin with one of some. A runtime that does not answer is an error, also one that only the
// cluster names: a network that pods may use is not taken away.
func (t Runtime) Users(ctx context.Context, agents []string) (Users, error) {
	var out Users
	at, err := t.sockets()
	switch {
	case err != nil:
	case at.own == "":
		err = errors.New("no socket found")
	case at.unasked != "":
		err = fmt.Errorf("the Node names the container runtime at %s, which is not asked: %s", at.unasked, at.why)
	}
	if err != nil {
		return out, fmt.Errorf("find out which pods run here: %w", err)
	}
	var pods []pod
	for _, socket := range at.all() {
		found, err := t.podsAt(ctx, socket)
		if err != nil {
			return out, fmt.Errorf("find out which pods run here, from the container runtime at %s: %w", socket, err)
		}
		pods = append(pods, found...)
	}
	results, err := t.Names(inventory.CNIStateDir + "/results")
	if err != nil {
		return out, fmt.Errorf("find out which network the pods have: %w", err)
	}
	for _, p := range pods {
		name := p.Namespace + "/" + p.Name
		switch {
		case !p.Ready:
		case p.HostNetwork && slices.ContainsFunc(agents, func(a string) bool { return strings.HasPrefix(name, a) }):
			out.Agents = append(out.Agents, name)
		case !p.HostNetwork && inNetwork(t.Scope, p.ID, results):
			out.Pods = append(out.Pods, name)
		}
	}
	slices.Sort(out.Pods)
	slices.Sort(out.Agents)
	return out, nil
}

// inNetwork reports whether a sandbox may be in the network of a scope: it is, unless all
// that the runtime has written down of it (libcni, NETWORK-SANDBOX-INTERFACE) names networks
// that are another's. A name may be a person's own, or that of a network which calls others
// (Multus, a chain of Cilium's), and proves nothing.
func inNetwork(scope inventory.Scope, sandbox string, results []string) bool {
	known := false
	for _, name := range results {
		network, _, is := strings.Cut(name, "-"+sandbox+"-")
		if !is || network == "cni-loopback" {
			continue
		}
		if known = true; !scope.AnothersNetwork(network) {
			return true
		}
	}
	return !known
}

// HostAgents are the networks of which an agent runs on this host itself: a process of root's,
// in the network namespace of the host, that is in no pod's cgroup. Where the pods' cannot all
// be read, it counts as one.
func (t Runtime) HostAgents() map[inventory.Owner]bool {
	network := func(pid string) string {
		at, _ := os.Readlink(filepath.Join("/proc", pid, "ns/net"))
		return at
	}
	here, found := network("self"), map[int]inventory.Owner{}
	_ = host.Processes(func(pid int) bool { // one that is not seen is none that is known
		if owner := agentOf(pid); owner != "" && network(strconv.Itoa(pid)) == here {
			found[pid] = owner
		}
		return len(found) < mostPids
	})
	if len(found) == 0 {
		return nil
	}
	pods, _ := t.podProcesses()
	out := map[inventory.Owner]bool{}
	for pid, owner := range found {
		if _, is := pods[pid]; !is {
			out[owner] = true
		}
	}
	return out
}

// agentOf is the network whose agent a process is, by the names of its program and of itself;
// empty for none, and for another user's, who may call anything so.
func agentOf(pid int) inventory.Owner {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	program, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil { // the kernel's own
		return ""
	}
	owner := ownership.Agent(filepath.Base(strings.TrimSuffix(program, " (deleted)")))
	if owner == "" {
		name, _ := host.ReadHead(filepath.Join(dir, "comm"), mostOfCmdline)
		owner = ownership.Agent(strings.TrimSpace(string(name)))
	}
	var stat unix.Stat_t
	if owner == "" || unix.Stat(dir, &stat) != nil || stat.Uid != 0 {
		return ""
	}
	return owner
}
