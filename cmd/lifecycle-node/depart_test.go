// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/hostlock"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report/reporttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// leftRun puts on the host what a run has there, its last word included.
func leftRun(t *testing.T, s *httptest.Server) {
	t.Helper()
	hosttest.Script(t, `mkdir -p `+stateDir+` /etc/systemd/system/multi-user.target.wants; cd `+stateDir+`
touch lock journal begun snapshot lifecycle-node `+unitFile+`; ln -s `+unitFile+` `+unitLink)
	spec := wire.Spec{
		Operation: wire.Remove, Node: "w", Task: json.RawMessage(`{}`), Patience: time.Minute,
		Record: wire.Ref{Namespace: "ns", Name: "lifecycle-w", UID: "7"}, Endpoints: []string{s.URL},
		CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})),
	}
	raw, err := json.Marshal(spec)
	hosttest.Must(t, err)
	hosttest.Must(t, os.WriteFile(in("spec.json"), raw, 0o600))
	hosttest.Must(t, os.WriteFile(in("token"), []byte("secret-token"), 0o600))
	hosttest.Must(t, os.WriteFile(in(lastWord), []byte(`{"phase":"finished"}`), 0o600))
}

// Wherever it is killed on its way off the host, the next start says what is not
// said yet and leaves nothing.
func TestARunThatIsKilledWhileItLeavesGoesOnWithThat(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `ip link set lo up; mount -t tmpfs tmpfs /var/lib; mkdir -p /etc/systemd/system
mount -t tmpfs tmpfs /etc/systemd/system`)
		for name, gone := range map[string]string{
			"before the last word":       ``,
			"after the last word":        `rm ` + in("begun"),
			"without its spec":           `rm ` + in("spec.json"),
			"without its token":          `rm ` + in("spec.json") + ` ` + in("token") + ` ` + in(journalName),
			"without its unit":           `rm ` + in("spec.json") + ` ` + in("token") + ` ` + unitLink + ` ` + unitFile,
			"with its unit's link alone": `rm ` + in("spec.json") + ` ` + in("token") + ` ` + unitFile,
		} {
			s := reporttest.New(t, wire.Ready)
			leftRun(t, s.Server)
			hosttest.Script(t, "true; "+gone)
			_ = work(t.Context(), operations()) // no systemd to be told here
			left := hosttest.Script(t, `ls -A /var/lib; find /etc/systemd/system -name '*lifecycle*'`)
			if left != "" {
				t.Errorf("killed %s, it left %q", name, left)
			}
			said := s.Get(wire.KeyPhase) == string(wire.Finished)
			if wants := !strings.HasPrefix(name, "with"); said != wants {
				t.Errorf("killed %s, it said its last word: %v (%q)", name, said, s.Data)
			}
		}
	})
}

// A run that begins while another is about to be gone waits for that.
func TestARunWaitsForOneThatLeaves(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /run; mkdir -m 700 `+stateDir+`; echo '{}' > `+in("spec.json")+`; touch `+in(lastWord))
		old, err := lock(in(lockName))
		hosttest.Must(t, err)
		got := make(chan error, 1)
		go func() {
			unlock, err := lockSoon(t.Context())
			if err == nil {
				unlock()
			}
			got <- err
		}()
		_ = leave()
		old()
		if err := <-got; err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// The run that has left took along the directory that the program of the next one
// came through: that one is installed all the same.
func TestAProgramThatWasTidiedUpMeanwhileIsInstalled(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		self, err := os.Executable()
		hosttest.Must(t, err)
		program, err := os.ReadFile(self)
		hosttest.Must(t, err)
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /run; mkdir -m 700 `+stateDir+`; mkdir -p /etc/systemd/system
mount -t tmpfs tmpfs /etc/systemd/system
mount -t tmpfs tmpfs "`+filepath.Dir(self)+`"`)
		if _, err := os.Stat(self); err == nil {
			t.Fatal("the program has a name still")
		}
		hosttest.Must(t, install(wire.Delivery{}))
		installed, err := os.ReadFile(in(programName))
		if err != nil || !bytes.Equal(installed, program) {
			t.Errorf("%d of %d bytes are installed, %v", len(installed), len(program), err)
		}
	})
}

// A preparation, a join, an init and a run that removes the host hold one lock, in
// whichever order they come; it is gone with its holder.
func TestARunAndAPreparationDoNotChangeAHostTogether(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /run; mkdir -m 700 `+stateDir)
		free, err := hostlock.Take()
		hosttest.Must(t, err)
		for name, take := range map[string]func() (func(), error){
			"a run": func() (func(), error) { return lock(in(lockName)) }, "one that answers at once": lockAlone,
			"a renewal": lockForUnit,
		} {
			if _, err := take(); !errors.Is(err, hostlock.ErrHeld) || plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
				t.Errorf("%s beside a preparation: %v", name, err)
			}
		}
		free()
		unlock, err := lock(in(lockName))
		hosttest.Must(t, err)
		if _, err := hostlock.Take(); !errors.Is(err, hostlock.ErrHeld) {
			t.Errorf("a preparation beside a run: %v", err)
		}
		unlock()
		if _, err := os.Lstat(hostlock.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the lock is left: %v", err)
		}
	})
}

// One that works is not waited for.
func TestARunThatWorksIsNotWaitedFor(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /run; mkdir -m 700 `+stateDir+`
echo '{"node": "w", "operation": "remove"}' > `+in("spec.json"))
		old, err := lock(in(lockName))
		hosttest.Must(t, err)
		defer old()
		limited, cancel := context.WithTimeout(t.Context(), departTime/2)
		defer cancel()
		if _, err := lockSoon(limited); err == nil || limited.Err() != nil {
			t.Errorf("got %v after %v", err, limited.Err())
		}
		if err := occupied(wire.Spec{Record: wire.Ref{UID: "another"}}); err == nil || !strings.Contains(err.Error(), "remove of node w") {
			t.Errorf("it says %v", err)
		}
	})
}
