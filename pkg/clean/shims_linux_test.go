// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// process starts one that waits, as program, with arguments of its own.
func (w *world) process(program string, apart bool, args ...string) *exec.Cmd {
	w.Helper()
	bundle := `{"annotations": {"io.kubernetes.cri.container-type": "sandbox"}}`
	if slices.Contains(args, "nerdctl") {
		bundle = `{"annotations": {"nerdctl/name": "mine"}}`
	}
	if !filepath.IsAbs(program) {
		shell, err := os.ReadFile("/bin/sh")
		hosttest.Must(w.T, err)
		program = filepath.Join(w.TempDir(), program)
		hosttest.Must(w.T, os.WriteFile(program, shell, 0o755))
	}
	script := "read line"
	if slices.Contains(args, "busy") {
		script = "sleep 60 & read line"
	}
	cmd := exec.Command(program, append([]string{"-c", script, "x"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if apart {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS
	}
	cmd.Dir = w.TempDir()
	hosttest.Must(w.T, os.WriteFile(filepath.Join(cmd.Dir, "config.json"), []byte(bundle), 0o600))
	open, err := cmd.StdinPipe()
	hosttest.Must(w.T, err)
	hosttest.Must(w.T, cmd.Start())
	w.Cleanup(func() {
		_ = open.Close()
		_ = cmd.Wait()
	})
	return cmd
}

// ended reports whether a process has ended, be it waited for or not.
func ended(cmd *exec.Cmd) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "stat"))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(state, "Z")
}

func TestAShimThatContainerdForgotEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		const name, socket, other = "containerd-shim-runc-v2", "/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock"
		of := func(namespace, id, address string) []string {
			return []string{"-namespace", namespace, "-id", id, "-address", address}
		}
		stray := w.process(name, false, of("k8s.io", "forgotten", "/var"+socket)...)
		others := map[string]*exec.Cmd{
			"Docker's":                   w.process(name, false, of("moby", "a", socket)...),
			"a person's":                 w.process(name, false, append(of("k8s.io", "e", socket), "nerdctl")...),
			"another containerd's":       w.process(name, false, of("k8s.io", "b", other)...),
			"a cluster's in a container": w.process(name, true, of("k8s.io", "c", socket)...),
			"only called so":             w.process("/bin/sh", false, append(of("k8s.io", "d", socket), name)...),
		}
		var seen []inventory.Item
		for _, it := range w.survey().Ours() {
			if it.Kind == inventory.KindProcess {
				seen = append(seen, it)
			}
		}
		if len(seen) != 1 || seen[0].ID != strconv.Itoa(stray.Process.Pid) {
			w.Errorf("seen: %v, want the shim with pid %d", seen, stray.Process.Pid)
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		if !ended(stray) {
			w.Error("the stray shim is still there")
		}
		for whose, cmd := range others {
			if ended(cmd) {
				w.Errorf("the shim that is %s was killed", whose)
			}
		}
	})
}

// containerd deletes a bundle once it has taken the task away, and with it the
// marks of a pod: then a shim counts only if nothing runs under it.
func TestAShimWithoutABundleEndsIfNothingRunsUnderIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		const name, socket = "containerd-shim-runc-v2", "/run/containerd/containerd.sock"
		idle := w.process(name, false, "-namespace", "k8s.io", "-id", "a", "-address", socket)
		busy := w.process(name, false, "-namespace", "k8s.io", "-id", "b", "-address", socket, "busy")
		docker := w.process(name, false, "-namespace", "moby", "-id", "c", "-address", socket)
		for _, cmd := range []*exec.Cmd{idle, busy, docker} {
			hosttest.Must(w.T, os.RemoveAll(cmd.Dir))
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		if !ended(idle) || ended(busy) || ended(docker) {
			w.Errorf("ended: the idle one %v, one that something runs under %v, Docker's %v; want only the first", ended(idle),
				ended(busy), ended(docker))
		}
	})
}

func TestAShimOfAPodThatTheRuntimeListsEndsWithItsPod(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.process("containerd-shim-runc-v2", false, "-namespace", "k8s.io", "-id", "web", "-address", "/run/containerd/containerd.sock")
		for _, it := range w.survey().Ours() {
			if it.Kind == inventory.KindProcess {
				w.Errorf("%v is no leftover: its pod is there", it)
			}
		}
	})
}

func TestAContainerThatTheRuntimeCannotStopIsKilled(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		top := w.top()
		processes := map[string]*exec.Cmd{}
		for _, pod := range []string{"web", "proxy"} {
			group := top + "/kubepods.slice/cri-containerd-c-" + pod + ".scope"
			hosttest.Must(w.T, os.MkdirAll(group, 0o755))
			processes[pod] = w.process("/bin/sh", false)
			hosttest.Must(w.T, os.WriteFile(group+"/cgroup.procs", []byte(strconv.Itoa(processes[pod].Process.Pid)), 0o600))
		}
		w.runtime.Stop = func(pod string) error {
			if ended(processes[pod]) {
				return nil
			}
			return errors.New("unable to signal init")
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
	})
}

func TestARuntimeThatDoesNotAnswerForgetsNoShim(t *testing.T) {
	inWorld(t, func(w *world) {
		const socket = "/run/containerd/containerd.sock"
		w.script("mkdir -p run/containerd; touch ." + socket)
		w.process("containerd-shim-runc-v2", false, "-namespace", "k8s.io", "-id", "a", "-address", socket)
		inv, err := w.target().Survey(w.Context())
		hosttest.Must(w.T, err)
		for _, it := range inv.Items {
			if it.Kind == inventory.KindProcess {
				w.Errorf("%v is called forgotten", it)
			}
		}
		if !slices.ContainsFunc(inv.Unchecked, func(u inventory.Unchecked) bool { return u.Kind == inventory.KindProcess }) {
			w.Errorf("unchecked: %v", inv.Unchecked)
		}
	})
}
