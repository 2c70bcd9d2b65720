// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const kernelFlag = `E1129 10:00:00.000001    4711 kubelet.go:1703] "Failed to start ContainerManager" err="invalid kernel flag: ` +
	`vm/overcommit_memory, expected value: 1, actual value: 0"` + "\n"

// TestTheKubeletsLastErrorIsOneLine: of all that a journal holds one line tells why it ended.
func TestTheKubeletsLastErrorIsOneLine(t *testing.T) {
	for name, c := range map[string]struct{ said, want, not string }{
		"a setting of the kernel": {"I1129 10:00:00.0 1 server.go:1] \"Starting\"\n" + kernelFlag +
			"kubelet.service: Main process exited, code=exited, status=1/FAILURE\n", `err="invalid kernel flag: vm/overcommit_memory`, "kubelet.go"},
		"the last one of several": {"E1129 10:00:00.0 1 a.go:1] \"first\"\n" + kernelFlag, "ContainerManager", "first"},
		"a gate that is not known": {`E1129 10:00:00.0 1 run.go:72] "command failed" err="unrecognized feature gate: NoSuchGate"`,
			"unrecognized feature gate: NoSuchGate", ""},
		"a log of JSON": {`{"ts":1,"caller":"cmd/run.go:72","msg":"command failed","err":"failed to load kubelet config"}`,
			"failed to load kubelet config", ""},
		"a bootstrap token":   {"E1129 10:00:00.0 1 a.go:1] token abcdef.0123456789abcdef is bad\n", "*** is bad", "0123456789abcdef"},
		"a service account's": {"E1129 10:00:00.0 1 a.go:1] Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.x.y\n", "***", "eyJ"},
		"a terminal's words":  {"E1129 10:00:00.0 1 a.go:1] a\x1b[2Jb\u202e\n", "a[2Jb", "\x1b"},
		"a flood":             {"E1129 10:00:00.0 1 a.go:1] " + strings.Repeat("x", 100_000) + "\n", "xxx", strings.Repeat("x", mostOfKubelet+1)},
		"nothing":             {"", "", "x"},
		"no error":            {"I1129 10:00:00.0 1 server.go:1] \"Starting\"\n", "", "Starting"},
	} {
		got := lastError(c.said)
		if !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("%s: %.200q", name, got)
		}
	}
}

// TestAJoinThatFailsForTheKubeletTellsWhy: kubeadm says no more than that it is not healthy.
func TestAJoinThatFailsForTheKubeletTellsWhy(t *testing.T) {
	for name, c := range map[string]struct {
		output string
		tells  bool
	}{
		"it is not healthy": {"[kubelet-start] Writing\n[kubelet-check] The kubelet is not healthy after 4m0s\n" +
			"error: error execution phase kubelet-start: timed out\n", true},
		"another phase":            {"[kubelet-start] Writing\nerror execution phase control-plane-join: etcd\n", false},
		"a check, before anything": {"\t[ERROR Port-10250]: in use\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			local := installed(t.TempDir(), "v1.36.3", func([]byte) (string, error) {
				return "", &host.CommandError{Err: errors.New("exit status 1"), Output: c.output}
			})
			inner := local.Exec
			local.Exec = func(ctx context.Context, cmd host.Command) (string, error) {
				if cmd.Name == "journalctl" {
					return kernelFlag, nil
				}
				return inner(ctx, cmd)
			}
			err := Join{Endpoint: "api:6443", File: "/join.json", Node: "w1", Host: local}.Do(t.Context())
			if tells := strings.Contains(err.Error(), "vm/overcommit_memory"); tells != c.tells || tells && plan.HintOf(err) == "" {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}

// TestAKubeletThatEndsAfterTheJoinIsNoJoin: kubeadm ends well with one that was healthy once.
func TestAKubeletThatEndsAfterTheJoinIsNoJoin(t *testing.T) {
	for name, c := range map[string]struct {
		states []string // one each second
		fails  bool
	}{
		"it stays":                      {[]string{"active"}, false},
		"it has ended":                  {[]string{"activating"}, true},
		"it ends two seconds later":     {[]string{"active", "active", "activating"}, true},
		"systemd has given it up":       {[]string{"failed"}, true},
		"a host that systemd runs not":  {nil, false},
		"it ends, and is started again": {[]string{"active", "activating", "active"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				local := host.Local{Exec: func(_ context.Context, cmd host.Command) (string, error) {
					switch {
					case cmd.Name == "journalctl":
						return kernelFlag, nil
					case len(c.states) == 0:
						return "", errors.New("not running")
					}
					at := min(int(time.Since(begin)/time.Second), len(c.states)-1)
					return "LoadState=loaded\nActiveState=" + c.states[at] + "\n", nil
				}}
				err := Join{Host: local}.Stays(t.Context())
				if (err != nil) != c.fails || c.fails && !strings.Contains(err.Error(), "vm/overcommit_memory") {
					t.Errorf("%v", err)
				}
			})
		})
	}
}
