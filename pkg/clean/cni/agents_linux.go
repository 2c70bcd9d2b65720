// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// agentLimit is how long an agent of a pod network may take to accept a connection
// and to say a word.
const agentLimit = 3 * time.Second

// DeadAgent is the socket of the pod network's agent, if the network's plugins ask
// one and it does not answer; empty otherwise. A plugin waits for its agent: to
// take down a network whose agent is gone takes Cilium's 42 s for each pod, twice,
// and then fails (a network that was uninstalled before, an image that is gone, a
// pod that crashes or hangs).
func (t Networks) DeadAgent(ctx context.Context) string {
	for _, socket := range t.networkAgents() {
		at, err := t.Follow(socket)
		if (err != nil || !answers(ctx, at)) && ctx.Err() == nil {
			return socket
		}
	}
	return ""
}

// answers reports whether a process lives behind a socket. The kernel accepts
// connections for one that hangs, too, so it has to say a word, or to hang up. All
// these agents speak HTTP (Cilium, Multus, kube-ovn, OVN-Kubernetes), or gRPC, whose
// servers speak first (Antrea, Terway); what they answer does not matter.
func answers(ctx context.Context, socket string) bool {
	ctx, cancel := context.WithTimeout(ctx, agentLimit)
	defer cancel()
	var dial net.Dialer
	c, err := dial.DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }() // it was asked
	until, _ := ctx.Deadline()
	if err := c.SetDeadline(until); err != nil {
		return false
	}
	if _, err := io.WriteString(c, "HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n"); err != nil {
		return !errors.Is(err, os.ErrDeadlineExceeded)
	}
	_, err = c.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
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
	raw, err := t.ReadPlain(path, part.MostOfFile)
	if err != nil {
		return Conf{}, false
	}
	return parseConf(raw)
}
