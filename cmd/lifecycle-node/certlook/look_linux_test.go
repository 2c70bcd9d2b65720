// SPDX-License-Identifier: Apache-2.0

package certlook

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
)

func TestWhatAServerPresentsIsReadWhoeverSignedIt(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	address := strings.TrimPrefix(server.URL, "https://")
	got := Dial(t.Context(), address)
	want := certs.Describe(server.Certificate())
	if got.Certificate == nil || got.Certificate.Fingerprint != want.Fingerprint || got.At != address {
		t.Errorf("%+v", got)
	}
	server.Close()
	if got := Dial(t.Context(), address); got.Certificate != nil || got.Why == "" {
		t.Errorf("%+v", got)
	}
}

func TestAPipeIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Files{Root: dir}.Open("pipe")
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if _, err := (Files{Root: dir}).Open("../pipe"); err == nil {
		t.Error("a path outside of the root is opened")
	}
}

// TestAProgramThatWasStartedBeforeItsFile: this process itself has a start that is known.
func TestAProgramThatWasStartedBeforeItsFile(t *testing.T) {
	started, err := startOf("/proc/" + strconv.Itoa(os.Getpid()))
	if err != nil || time.Since(started) < 0 || time.Since(started) > time.Hour {
		t.Fatalf("started %v, %v", started, err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "scheduler.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{time.Minute: true, -time.Minute: false, 0: false} {
		if err := os.Chtimes(file, time.Time{}, started.Add(after)); err != nil {
			t.Fatal(err)
		}
		all := running{"/scheduler.conf": {pid: 1, started: started}}
		if got := all.before(Files{Root: dir}, certs.Row{Where: "/scheduler.conf"}); got == nil || got.Before != want {
			t.Errorf("%s: %+v", after, got)
		}
	}
	if got := (running{}).before(Files{Root: dir}, certs.Row{Where: "/scheduler.conf"}); got != nil {
		t.Errorf("no program runs: %+v", got)
	}
}
