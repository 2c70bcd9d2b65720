// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// plugin starts a script that waits, as a runtime starts a network plugin.
func (w *world) plugin(attributes *syscall.SysProcAttr, environ ...string) *exec.Cmd {
	w.Helper()
	dir, err := os.MkdirTemp("/tmp", "plugin") //nolint:usetesting // others than root must reach it
	hosttest.Must(w.T, err)
	hosttest.Must(w.T, os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "slownetwork")
	hosttest.Must(w.T, os.WriteFile(path, []byte("#!/bin/sh\nread line\n"), 0o755))
	cmd := exec.Command(path)
	cmd.SysProcAttr, cmd.Env = attributes, append(environ, "PATH=/usr/bin:/bin")
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	open, err := cmd.StdinPipe()
	hosttest.Must(w.T, err)
	hosttest.Must(w.T, cmd.Start())
	w.Cleanup(func() {
		_ = open.Close()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	return cmd
}

// A runtime waits for a network plugin for ever where that has started something that
// keeps its output open (kubernetes/kubeadm#2828): the wait names pod and plugin, and
// the plugin is ended when the pod is removed without its network. What only looks
// like one lives on.
func TestANetworkPluginThatDoesNotEndIsNamedAndEnded(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		pod, other := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
		w.runtime.Start(critest.Pod{Name: pod})
		const del, id = "CNI_COMMAND=DEL", "CNI_CONTAINERID="
		hangs := w.plugin(&syscall.SysProcAttr{}, del, id+pod)
		others := map[string]*exec.Cmd{
			"of another pod":            w.plugin(&syscall.SysProcAttr{}, del, id+other),
			"that names it beside":      w.plugin(&syscall.SysProcAttr{}, del, id+pod+"0"),
			"that checks":               w.plugin(&syscall.SysProcAttr{}, "CNI_COMMAND=CHECK", id+pod),
			"of a user":                 w.plugin(&syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}, del, id+pod),
			"in a container's own root": w.plugin(&syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}, del, id+pod),
		}
		var mu sync.Mutex
		var said []string
		heard := make(chan struct{})
		observer := plan.ObserverFunc(func(e plan.Event) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, e.Message)
			if strings.Contains(e.Message, "waits for its network plugin, which has not ended: slownetwork (pid ") {
				select {
				case <-heard:
				default:
					close(heard)
				}
			}
		})
		w.runtime.Stop = func(name string) error {
			switch {
			case name != pod || ended(hangs):
				return nil
			}
			select {
			case <-heard:
			case <-time.After(time.Minute):
				w.Error("the wait never named the plugin")
			}
			return errors.New("failed to destroy network: signal: killed")
		}
		before := w.survey()
		_, err := w.target().Recipe().Run(w.Context(), observer)
		hosttest.Must(w.T, err)
		if verdict := inventory.Verify(before, w.survey()); verdict.State != inventory.Clean || !ended(hangs) {
			w.Errorf("verdict: %+v, plugin ended: %t", verdict, ended(hangs))
		}
		for whose, cmd := range others {
			if ended(cmd) {
				w.Errorf("the process %s was killed", whose)
			}
		}
		all := strings.Join(said, "\n")
		for _, want := range []string{"could not be removed yet: stop pod ns/" + pod, "killing network plugin slownetwork (pid "} {
			if !strings.Contains(all, want) {
				w.Errorf("not said: %s; said:\n%s", want, all)
			}
		}
	})
}
