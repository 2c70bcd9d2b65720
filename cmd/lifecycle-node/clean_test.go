// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/hostlock"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestWhatIsPrintedOnAHostIsNotObeyedByItsTerminal(t *testing.T) {
	const hostile = "/var/lib/kubelet/pods/x\x1b[2J\x07\u202e\n✓ this host is clean\r"
	var out bytes.Buffer
	p := report.Printer{Out: &out}
	p.Line("%s", inventory.Item{Kind: inventory.KindMount, Name: hostile, In: hostile})
	p.Line("not checked: %s: %s", hostile, hostile)
	for _, kind := range []plan.Kind{plan.Progress, plan.Done, plan.Failed} {
		p.Observe(plan.Event{Kind: kind, Title: hostile, Message: hostile})
	}
	for line := range strings.Lines(out.String()) {
		if strings.ContainsAny(line, "\x1b\x07\u202e\r") || strings.HasPrefix(line, "✓ this") {
			t.Errorf("it prints %q", line)
		}
	}
}

// A run that is between two starts of its unit goes on over what was cleaned under it, and
// its record over what was left: a person's clean does not begin beside one.
func TestAHostIsNotCleanedBesideARun(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /run; mkdir -m 700 `+stateDir+`
mkdir -p /var/lib/kubelet; touch /var/lib/kubelet/config.yaml`)
		own := func() (func(), error) { return lock(in(lockName)) }
		for name, tc := range map[string]struct {
			plant string
			hold  func() (func(), error)
			wayOn string
		}{
			"between two starts":                   {`echo '{"node": "w"}' > ` + in(specFile), nil, "systemctl disable --now " + unitName},
			"one whose order is damaged":           {`echo '{"no' > ` + in(specFile), nil, "rm " + in(specFile)},
			"one that works":                       {"true", own, unitName},
			"a preparation, a join or an init":     {"true", hostlock.Take, ""},
			"one that works, with its order there": {`echo '{}' > ` + in(specFile), own, unitName},
		} {
			hosttest.Script(t, "rm -f "+in(specFile)+"; "+tc.plant)
			free := func() {}
			if tc.hold != nil {
				var err error
				free, err = tc.hold()
				hosttest.Must(t, err)
			}
			var out bytes.Buffer
			err := cleanAlone(t.Context(), []string{"--yes"}, &out)
			if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), tc.wayOn) || plan.HintOf(err) == "" {
				t.Errorf("%s: error %v, hint %q", name, err, plan.HintOf(err))
			}
			free()
			if _, err := os.Stat("/var/lib/kubelet/config.yaml"); err != nil {
				t.Fatalf("%s: it was cleaned: %s", name, out.String())
			}
		}
	})
}

// A line to be pasted is pasted into the wrong window one day.
func TestOnlyTheHostThatIsMeantIsCleaned(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		certificate := kubeletCertificate(t, "w2")
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /etc
mkdir -p /var/lib/kubelet/pki; echo 0123456789abcdef0123456789abcdef > /etc/machine-id`)
		hosttest.Must(t, os.WriteFile("/var/lib/kubelet/pki/kubelet-client-current.pem", certificate, 0o600))
		const own, other = "0123456789abcdef0123456789abcdef", "ffffffffffffffffffffffffffffffff"
		for name, tc := range map[string]struct {
			args    []string
			refused string
		}{
			"another node's facts":                       {[]string{`{"node":"w1"}`}, `the host of node "w2"`},
			"another node's facts, at once":              {[]string{"--yes", `{"node":"w1"}`}, `the host of node "w2"`},
			"another machine":                            {[]string{"--machine-id", other, `{"node":"w2"}`}, "another machine"},
			"another machine, of which nothing is known": {[]string{"--yes", "--machine-id", other}, "another machine"},
			"the right one":                              {[]string{"--machine-id", own, `{"node":"w2"}`}, ""},
			"nothing is said of it":                      {nil, ""},
		} {
			var out bytes.Buffer
			err := cleanAlone(t.Context(), tc.args, &out)
			if (plan.ClassOf(err) == plan.Refused) != (tc.refused != "") ||
				tc.refused != "" && (!strings.Contains(err.Error(), tc.refused) || plan.HintOf(err) == "" || out.Len() > 0) {
				t.Errorf("%s: %v, hint %q\n%s", name, err, plan.HintOf(err), out.String())
			}
		}
		if _, err := os.Stat("/var/lib/kubelet/pki/kubelet-client-current.pem"); err != nil {
			t.Error(err)
		}
	})
}

// node-program is a person's to pipe into whatever it is: the work goes on when
// nobody reads, and the exit code is the work's.
func TestTheCommandOnTheHostGoesOnWhenNobodyReads(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		for name, tc := range map[string]struct {
			args []string
			code int
		}{
			"it shows":            {[]string{"clean"}, 0},
			"it is misused":       {[]string{"clean", "--no-such-flag"}, 2},
			"its facts are junk":  {[]string{"clean", "{"}, 2},
			"there is no command": {nil, 2},
		} {
			reader, writer, err := os.Pipe()
			hosttest.Must(t, err)
			hosttest.Must(t, reader.Close())
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe", tc.args...)
			cmd.Env = append(os.Environ(), asProgram+"=1")
			cmd.Stdout, cmd.Stderr = writer, writer
			_ = cmd.Run()
			_ = writer.Close()
			if got := cmd.ProcessState.ExitCode(); got != tc.code {
				t.Errorf("%s: %v, want %d", name, cmd.ProcessState, tc.code)
			}
		}
	})
}
