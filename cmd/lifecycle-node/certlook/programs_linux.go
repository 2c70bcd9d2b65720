// SPDX-License-Identifier: Apache-2.0

package certlook

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/staticpod"
)

// listLimit bounds the wait for the container runtime.
const listLimit = 10 * time.Second

// Runtime is the container runtime of this host; close it.
func Runtime(files Files) (*cri.Client, error) {
	socket, err := clean.Target{Host: host.Local{Root: files.Root}}.RuntimeSocket()
	if err == nil && socket == "" {
		err = errors.New("no container runtime was found")
	}
	if err != nil {
		return nil, err
	}
	return cri.New(files.path(socket)), nil
}

// programs are the static pods that run here.
func programs(ctx context.Context, files Files) (staticpod.Programs, error) {
	runtime, err := Runtime(files)
	if err != nil {
		return staticpod.Programs{}, err
	}
	defer runtime.Close()
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	return staticpod.Read(ctx, runtime)
}

// readsOnce is the program that reads a kubeconfig when it starts, and never again
// (client-go reads files again, not what is written in a kubeconfig); empty for any other.
func readsOnce(row string) string {
	return map[string]string{"controller-manager.conf": "kube-controller-manager", "scheduler.conf": "kube-scheduler"}[row]
}

// addPrograms says of the kubeconfigs that are read once whether the program that uses them
// is older than they are.
func addPrograms(ctx context.Context, files Files, look *certs.Look) {
	running, err := programs(ctx, files)
	for i := range look.Rows {
		row := &look.Rows[i]
		program := readsOnce(row.Name)
		if program == "" || row.Certificate == nil {
			continue
		}
		row.Served = before(files, *row, func() (cri.Container, error) {
			if err != nil {
				return cri.Container{}, err
			}
			return running.Find(program)
		})
	}
}

// before says of a kubeconfig whether the container of its program was made before it was
// written. One that was written between that and the program's start is taken for one that
// is not in use, which costs a restart and nothing else.
func before(files Files, row certs.Row, find func() (cri.Container, error)) *certs.Served {
	c, err := find()
	served := &certs.Served{At: "container " + readsOnce(row.Name)}
	if err != nil {
		served.Why = err.Error()
		return served
	}
	info, err := files.Stat(strings.TrimPrefix(row.Where, "/"))
	if err != nil {
		served.Why = err.Error()
		return served
	}
	served.Before = info.ModTime().After(c.Created)
	return served
}
