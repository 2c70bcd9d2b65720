// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// agentLimit is how long an agent of a pod network may take to accept a connection:
// the kernel does that for one that lives.
const agentLimit = time.Second

// DeadAgent is the socket of the pod network's agent, if the network's plugins ask
// one and it does not answer; empty otherwise. A plugin waits for its agent: to
// take down a network whose agent is gone takes Cilium's 42 s for each pod, twice,
// and then fails (a network that was uninstalled before, an image that is gone, a
// pod that crashes).
func (t Networks) DeadAgent(ctx context.Context) string {
	for _, socket := range t.networkAgents() {
		dial := net.Dialer{Timeout: agentLimit}
		c, err := dial.DialContext(ctx, "unix", t.Host.Path(socket))
		if err != nil && ctx.Err() == nil {
			return socket
		}
		if err == nil {
			_ = c.Close()
		}
	}
	return ""
}

// networkAgents are the sockets of the agents of the network that the runtime uses:
// the first configuration by name (containerd's go-cni, CRI-O's ocicni), and those
// that it delegates to.
func (t Networks) networkAgents() []string {
	for _, dir := range t.Places().ConfDirs {
		if sockets, is := t.agentsOf(dir); is {
			return sockets
		}
	}
	return nil
}

// agentsOf are those of the network whose configuration is the first in a directory;
// it reports false where there is none.
func (t Networks) agentsOf(dir string) ([]string, bool) {
	names, err := t.Names(dir)
	if err != nil {
		return nil, false
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(name)) {
			continue
		}
		conf, is := t.readConf(filepath.Join(dir, name))
		if !is {
			continue
		}
		sockets := conf.agentSockets()
		for _, file := range conf.files {
			if next, is := t.readConf(file); is {
				sockets = append(sockets, next.agentSockets()...)
			}
		}
		return sockets, true
	}
	return nil, false
}

func (t Networks) readConf(path string) (Conf, bool) {
	raw, err := host.ReadPlain(t.Host.Path(path), part.MostOfFile)
	if err != nil {
		return Conf{}, false
	}
	return parseConf(raw)
}
