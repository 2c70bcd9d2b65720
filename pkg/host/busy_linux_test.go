// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

func TestABusyMountSaysWhoUsesItAndWhetherThatIsAll(t *testing.T) {
	holder := func(n int) (out []host.Holder) {
		for pid := range n {
			out = append(out, host.Holder{PID: pid, Command: "tail", How: "program"})
		}
		return out
	}
	for name, tc := range map[string]struct {
		busy host.BusyError
		says string
	}{
		"nothing is found":                     {host.BusyError{}, "no process on this host shows that it uses it"},
		"nothing is found in what was read":    {host.BusyError{More: true}, "there is more on this host than could be looked at"},
		"one is":                               {host.BusyError{Holders: holder(1)}, "in use by tail (pid 0, program)"},
		"some are":                             {host.BusyError{Holders: holder(5)}, ", and 2 more"},
		"some are, and there may be others":    {host.BusyError{Holders: holder(5), More: true}, ", and 2 more, and perhaps others"},
		"a loop device, and there may be more": {host.BusyError{Loops: []string{"/dev/loop7"}, More: true}, "/dev/loop7, and perhaps others"},
	} {
		if got := tc.busy.Error(); !strings.Contains(got, tc.says) || strings.Contains(got, "others") != (tc.busy.More && tc.says != "" &&
			len(tc.busy.Holders)+len(tc.busy.Loops) > 0) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A search that its bounds have ended says so: for the number of holders, and for time.
func TestASearchForHoldersThatIsCutSaysSo(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, "mkdir "+dir+"/m; mount -t tmpfs none "+dir+"/m")
		l := host.Local{Proc: "/proc/self"}
		mounts, err := l.Mounts()
		hosttest.Must(t, err)
		var mount host.Mount
		for _, m := range mounts {
			if m.Path == dir+"/m" {
				mount = m
			}
		}
		var started []*os.Process
		more := func(n int) {
			for range n {
				c := exec.CommandContext(t.Context(), "sleep", "1000")
				c.Dir = dir + "/m"
				hosttest.Must(t, c.Start())
				started = append(started, c.Process)
			}
		}
		for _, tc := range []struct {
			start, found int
			cut          bool
		}{{20, 20, false}, {1, 20, true}} {
			more(tc.start)
			if out, cut := l.Holders(mount); len(out) != tc.found || cut != tc.cut {
				t.Errorf("found %d, and says %v of more", len(out), cut)
			}
		}
		for _, p := range started {
			_ = p.Kill()
		}
	})
}
