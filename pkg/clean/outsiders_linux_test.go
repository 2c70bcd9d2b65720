// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// sleeper starts a program that becomes "sleep", once it is in the namespaces that it is told to
// be in, and lasts as long as the test.
func (w *world) sleeper(args ...string) *exec.Cmd {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	hosttest.Must(w.T, cmd.Start())
	w.script(fmt.Sprintf("timeout 60 sh -c 'until [ \"$(cat /proc/%d/comm)\" = sleep ]; do sleep 0.02; done'", cmd.Process.Pid))
	return cmd
}

// A program that was brought into the namespace of a pod by hand, or by a tool, is in no
// cgroup of a pod: it outlives the removal, and the verdict says so until it has ended.
func TestAProcessInTheNamespaceOfAPodOutsideOfItsCgroupIsNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"in its network":              {[]string{"nsenter", "--net=/mnt/" + podNetwork, "sleep", "1000"}, []string{"network"}},
		"among its files":             {[]string{"nsenter", "-m", "-t", "POD", "sleep", "1000"}, []string{"mount"}},
		"beside it, in IPC":           {[]string{"nsenter", "-i", "-t", "POD", "sleep", "1000"}, []string{"IPC"}},
		"in namespaces of its own":    {[]string{"unshare", "-n", "-m", "-i", "sleep", "1000"}, nil},
		"in a network by a name only": {[]string{"nsenter", "--net=/mnt/run/netns/own", "sleep", "1000"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script("touch run/netns/own; unshare --net=run/netns/own true")
				w.join()
				procs := w.dir + "/sys/fs/cgroup/kubepods.slice/kubepods-pod1.slice/cgroup.procs"
				pod := w.sleeper("unshare", "-m", "-i", "sleep", "1000")
				hosttest.Must(w.T, os.WriteFile(procs, []byte(strconv.Itoa(pod.Process.Pid)), 0o600))
				w.runtime.Start(critest.Pod{Name: "db", Gone: func() {
					_, _ = pod.Process.Kill(), pod.Wait()
					_ = os.Remove(procs)
				}})
				for i, arg := range tc.args {
					tc.args[i] = strings.Replace(arg, "POD", strconv.Itoa(pod.Process.Pid), 1)
				}
				brought := w.sleeper(tc.args...)
				before := w.survey()
				verdict := w.remove()
				var got []string
				for _, it := range verdict.But {
					for _, kind := range []string{"network", "mount", "process", "IPC"} {
						if it.Kind == inventory.KindProcess && it.ID == strconv.Itoa(brought.Process.Pid) &&
							strings.HasPrefix(it.Refers, "it is in the "+kind+" namespace of a pod") && strings.Contains(it.Refers, "kill "+it.ID) {
							got = append(got, kind)
						}
					}
				}
				state := inventory.Clean
				if len(tc.want) > 0 {
					state = inventory.CleanBut
				}
				if diff := cmp.Diff(tc.want, got); diff != "" || verdict.State != state || len(verdict.But) != len(tc.want) {
					w.Errorf("verdict %+v (-want +got):\n%s", verdict, diff)
				}
				if ended(brought) {
					w.Error("it was ended")
				}
				hosttest.Must(w.T, brought.Process.Kill())
				_ = brought.Wait()
				if verdict := inventory.Verify(before, w.survey()); verdict.State != inventory.Clean {
					w.Errorf("once it has ended: %+v", verdict)
				}
			})
		})
	}
}

// As long as there are pods, what is in their namespaces may be a part of them, as the
// virtual machine of a pod is, and ends with them.
func TestAProcessThatMayEndWithItsPodIsNotNamedBefore(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.sleeper("nsenter", "--net=/mnt/"+podNetwork, "sleep", "1000")
		hosttest.Must(w.T, w.target().Recipe().Steps[0].Do(w.Context(), func(string, ...any) {})) // it writes down what there is
		if !w.exists("/state/pod-namespaces.json") {
			w.Error("nothing is written down")
		}
		for _, it := range w.survey().Items {
			if it.Kind == inventory.KindProcess {
				w.Errorf("%+v", it)
			}
		}
		if verdict := w.remove(); verdict.State != inventory.CleanBut || len(verdict.But) != 1 {
			w.Errorf("verdict: %+v", verdict)
		}
	})
}
