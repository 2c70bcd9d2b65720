// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

func TestACommandThatPrintsWithoutEndIsEnded(t *testing.T) {
	for name, script := range map[string]string{
		"to its output":   "while :; do echo xxxxxxxxxxxxxxxx; done",
		"to its errors":   "while :; do echo xxxxxxxxxxxxxxxx >&2; done",
		"and ends well":   "head -c 70000 /dev/zero; exit 0",
		"and fails":       "head -c 70000 /dev/zero; exit 3",
		"and ignores HUP": "trap '' PIPE TERM; while :; do echo xxxxxxxxxxxxxxxx; done",
	} {
		out, err := host.Local{}.Run(t.Context(), host.Command{Name: "sh", Args: []string{"-c", script}, Timeout: time.Minute, Most: 1 << 16})
		if !errors.Is(err, host.ErrTooMuch) || len(out) > 1<<16 {
			t.Errorf("%s: %d bytes, error %.200v", name, len(out), err)
		}
	}
	out, err := host.Local{}.Run(t.Context(), host.Command{Name: "sh", Args: []string{"-c", "head -c 65536 /dev/zero"}, Most: 1 << 16})
	if err != nil || len(out) != 1<<16 {
		t.Errorf("just as much as it may: %d bytes, %v", len(out), err)
	}
	_, err = host.Local{}.Run(t.Context(), host.Command{Name: "sh", Args: []string{"-c", "echo why; exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "exit status 3: why") {
		t.Errorf("a command that fails: %v", err)
	}
}
