// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

func TestMissing(t *testing.T) {
	t.Parallel()
	have := func(command string) (string, error) {
		if command == "docker" {
			return "/usr/bin/docker", nil
		}
		return "", fs.ErrNotExist
	}
	tools := []Tool{
		{Command: "docker", Packages: []string{"docker.io"}},
		{Command: "iptables", Packages: []string{"iptables"}},
		{Command: "gcc", Packages: []string{"gcc", "libc6-dev"}},
		{Command: "ip6tables", Packages: []string{"iptables"}},
	}
	want := []string{"gcc", "iptables", "libc6-dev"}
	if got := Missing(tools, have); !slices.Equal(got, want) {
		t.Errorf("Missing = %v, want %v", got, want)
	}
}

func TestFactsCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		facts Facts
		says  string
	}{
		{Facts{OS: "linux", Arch: "amd64"}, ""},
		{Facts{OS: "linux", Arch: "arm64"}, ""},
		{Facts{OS: "darwin", Arch: "arm64"}, "needs Linux"},
		{Facts{OS: "linux", Arch: "s390x"}, "amd64 and arm64"},
		{Facts{OS: "linux", Arch: "amd64", UID: 1000}, "sudo"},
	}
	for _, tt := range tests {
		err := tt.facts.Check()
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v, want it to say %q", tt.facts, err, tt.says)
		}
	}
}

func TestParallel(t *testing.T) {
	t.Parallel()
	errBroken := errors.New("broken")
	var running, most, finished atomic.Int32
	task := func(fail bool) Task {
		return func(context.Context) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			finished.Add(1)
			if fail {
				return errBroken
			}
			return nil
		}
	}
	if err := Parallel(t.Context(), 2, task(false), task(false), task(false)); err != nil {
		t.Errorf("Parallel = %v", err)
	}
	if finished.Load() != 3 || most.Load() > 2 {
		t.Errorf("%d finished, %d at a time", finished.Load(), most.Load())
	}
	echo := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	err := Parallel(t.Context(), 2, echo, task(true), task(false))
	if !errors.Is(err, errBroken) || errors.Is(err, context.Canceled) {
		t.Errorf("Parallel = %v, want only %v", err, errBroken)
	}
}

func TestRunShowsWhy(t *testing.T) {
	t.Parallel()
	err := Command("sh", "-c", "echo reason >&2; exit 3").Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "reason") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error = %v, want the reason and the exit status", err)
	}
}

func TestNeeded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw   string
		least int
		raise bool
	}{
		{"128\n", 8192, true},
		{"8192\n", 8192, false},
		{"1048576\n", 524288, false},
		{"what\n", 1, false},
	}
	for _, tt := range tests {
		if _, raise := needed(tt.raw, tt.least); raise != tt.raise {
			t.Errorf("needed(%q, %d) = %v, want %v", tt.raw, tt.least, raise, tt.raise)
		}
	}
}
