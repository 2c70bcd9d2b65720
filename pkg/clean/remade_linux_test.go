// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Another program on the host may make a directory again as soon as it is gone, as a second
// kubelet does with that of volume plugins (siderolabs/talos#6071,
// kubernetes/kubernetes#131977). That does not keep a removal from its end.
func TestADirectoryThatIsMadeAgainEndsNoRemoval(t *testing.T) {
	const plugins = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec"
	for name, tc := range map[string]struct {
		dir, put string
		but      []string
	}{
		"the kubelet's of volume plugins": {dir: plugins},
		"its logs":                        {dir: "/var/log/pods"},
		"its logs, with one in it":        {dir: "/var/log/pods", put: "/other", but: []string{"directory /var/log/pods"}},
		"a network's":                     {dir: "/run/flannel"},
		"a network's, with a file in it":  {dir: "/run/flannel", put: "/env", but: []string{"directory /run/flannel"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				before := w.survey()
				_, err := w.target().Recipe().Run(w.Context(), makesAgain(w, tc.dir+tc.put))
				hosttest.Must(w.T, err)
				verdict := inventory.Verify(before, w.survey())
				if diff := cmp.Diff(tc.but, names(verdict.But)); diff != "" || !verdict.State.Done() || !w.exists(tc.dir) {
					w.Errorf("verdict %s, remaining %v (-want +got):\n%s", verdict.State, verdict.Remaining, diff)
				}
				w.script("rm -f state/remade") // which goes with all notes when a removal ends
				if verdict = w.remove(); verdict.State != inventory.Clean || w.exists(tc.dir) {
					w.Errorf("verdict once nothing makes it again: %+v", verdict)
				}
			})
		})
	}
}

// makesAgain is a program that makes a directory again whenever something was removed.
func makesAgain(w *world, dir string) plan.Observer {
	return plan.ObserverFunc(func(e plan.Event) {
		if strings.HasPrefix(e.Message, "removed ") && !w.exists(dir) {
			hosttest.Must(w.T, os.MkdirAll(w.dir+dir, 0o755))
		}
	})
}

// What another kubelet on this host uses in directories that no flag moves stays: by who
// listens in a socket, and where a link leads.
func TestWhatAnotherKubeletUsesStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(`mkdir -p var/log/pods-lab/lab var/lib/kubelet/device-plugins; echo > var/log/pods-lab/lab/0.log
ln -s /var/log/pods-lab/lab/0.log var/log/containers/lab.log; ln -s ../pods-lab/lab/0.log var/log/containers/near.log
ln -s /var/log/nowhere/0.log var/log/containers/gone.log; ln -s ../pods/ns_web_u1/app/0.log var/log/containers/own.log
echo > var/lib/kubelet/device-plugins/kubelet_internal_checkpoint`)
		hosttest.Must(w.T, os.Chdir(w.dir+"/var/lib/kubelet/device-plugins")) // a socket's address is short
		for _, name := range []string{"kubelet.sock", "dead.sock"} {
			heard, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
			hosttest.Must(w.T, err)
			if heard.SetUnlinkOnClose(false); name == "dead.sock" {
				_ = heard.Close()
			}
			w.Cleanup(func() { _ = heard.Close() })
		}
		if verdict := w.remove(); verdict.State != inventory.Clean || len(verdict.Lost) > 0 {
			w.Errorf("verdict: %+v", verdict)
		}
		want := "./lib/kubelet/device-plugins/kubelet.sock\n./log/containers/lab.log\n./log/containers/near.log\n"
		if got := w.script("cd var; find . -path ./lib/kubelet/device-plugins/'*' -o -path ./log/containers/'*' | sort"); got != want {
			w.Errorf("left:\n%s", got)
		}
	})
}
