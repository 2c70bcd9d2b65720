// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// asProgram has the test binary be the program.
const asProgram = "TEST_AS_LIFECYCLE_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	hosttest.Main(m)
}

func TestTheRunsOwnDirectoryIsNotEmptiedThroughAMount(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib; mkdir -p `+stateDir+`/there `+dir+`/data; echo precious > `+dir+`/data/file
touch `+stateDir+`/lock `+stateDir+`/journal; mount --bind `+dir+`/data `+stateDir+`/there`)
		err := forget("lock")
		if !errors.Is(err, host.ErrMounted) || !strings.Contains(err.Error(), stateDir+"/there") || !strings.Contains(wayOut(err), "unmount it") {
			t.Errorf("got %v, hint %q", err, wayOut(err))
		}
		if got, err := os.ReadFile(dir + "/data/file"); err != nil || string(got) != "precious\n" {
			t.Errorf("what was mounted there is %q, %v", got, err)
		}
		if left := hosttest.Script(t, `ls `+stateDir); left != "lock\nthere\n" {
			t.Errorf("left: %q", left)
		}
		hosttest.Script(t, `umount `+stateDir+`/there`)
		hosttest.Must(t, forget("lock"))
		if left := hosttest.Script(t, `ls `+stateDir); left != "lock\n" {
			t.Errorf("left: %q", left)
		}
	})
}

func TestDoorsThatWereLeftOpenAreSweptAndNothingElse(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /run; cd /var/lib
mkdir -m 700 kubectl-lifecycle-door.Ab12Cd kubectl-lifecycle-door.inUse0 /run/kubectl-lifecycle-door.Ab12Cd
touch kubectl-lifecycle-door.Ab12Cd/probe
mkdir -m 755 kubectl-lifecycle-door.open00; mkdir -m 700 kubectl-lifecycle-door.notsix7 kubectl-lifecycle-door.nobody other
chown 65534 kubectl-lifecycle-door.nobody`)
		someone := exec.CommandContext(t.Context(), "sleep", "1000")
		someone.Dir = "/var/lib/kubectl-lifecycle-door.inUse0"
		hosttest.Must(t, someone.Start())
		hosttest.Must(t, sweepDoors())
		kept := "kubectl-lifecycle-door.nobody\nkubectl-lifecycle-door.notsix7\nkubectl-lifecycle-door.open00\nother\n"
		if left := hosttest.Script(t, `ls /var/lib /run`); left != "/run:\n\n/var/lib:\nkubectl-lifecycle-door.inUse0\n"+kept {
			t.Errorf("left: %q", left)
		}
		hosttest.Must(t, someone.Process.Kill())
		_ = someone.Wait()
		hosttest.Must(t, sweepDoors())
		if left := hosttest.Script(t, `ls /var/lib`); left != kept {
			t.Errorf("left when nobody works there any more: %q", left)
		}
	})
}

func TestEveryRefusalHasAWayOut(t *testing.T) {
	for name, err := range map[string]error{
		"with a hint of its own": plan.Hint(errors.New("x"), "do this"),
		"no permission":          &os.PathError{Op: "mkdir", Path: stateDir, Err: unix.EACCES},
		"a full disk":            fmt.Errorf("write: %w", unix.ENOSPC),
		"a read-only disk":       fmt.Errorf("write: %w", unix.EROFS),
		"anything else":          errors.New("x"),
	} {
		if wayOut(err) == "" {
			t.Errorf("%s: none", name)
		}
	}
}

func TestTheContainerThatOneCameThroughIsKnown(t *testing.T) {
	id := strings.Repeat("0a", 32)
	for name, tc := range map[string]struct{ cgroup, want string }{
		"version 2, systemd's driver": {"0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1.slice/cri-containerd-" +
			id + ".scope\n", id},
		"version 1, cgroupfs": {"9:memory:/kubepods/pod1/" + id + "\n0::/kubepods/pod1/" + id + "\n", id},
		"on the host itself":  {"0::/user.slice/user-0.slice/session-1.scope\n", ""},
	} {
		file := filepath.Join(t.TempDir(), "cgroup")
		hosttest.Must(t, os.WriteFile(file, []byte(tc.cgroup), 0o600))
		if got := ownContainer(file); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAServerThatKnowsNoRecordIsBelievedAfterAWhile(t *testing.T) {
	var d report.GoneDetector
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, step := range []struct {
		after time.Duration
		err   error
		want  bool
	}{
		{0, report.ErrGone, false},
		{report.GoneGrace - time.Second, fmt.Errorf("%w: 401", report.ErrGone), false},
		{report.GoneGrace, errors.New("connection refused"), false}, // says nothing, and takes nothing back
		{report.GoneGrace, report.ErrGone, true},
		{report.GoneGrace, nil, false},
		{report.GoneGrace, report.ErrGone, false}, // it was there in between
	} {
		if got := d.Believe(step.err, at.Add(step.after)); got != step.want {
			t.Errorf("after %s, %v: %v", step.after, step.err, got)
		}
	}
}

func TestAPlaceFromWhichNothingCanBeStartedIsRefused(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, "mount -t tmpfs -o noexec tmpfs /var/lib; mount -t tmpfs tmpfs /mnt")
		if err := executable("/var/lib"); plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "remount,exec") {
			t.Errorf("noexec: %v", err)
		}
		if err := executable("/mnt"); err != nil {
			t.Errorf("an ordinary place: %v", err)
		}
	})
}

func TestADiskThatDoesNotAnswerSaysNeitherYesNorNo(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib`)
		if there, err := past(); there.Cleaned || there.Joined || err != nil {
			t.Errorf("a host without a run: %+v, %v", there, err)
		}
		for name, broken := range map[string]string{
			"a link that leads to itself": `ln -s ` + stateDir + ` ` + stateDir,
			"no directory":                `touch ` + stateDir,
		} {
			hosttest.Script(t, `rm -rf `+stateDir+`; `+broken)
			w := &worker{}
			_, lookErr := w.look()
			_, moveErr := past()
			_, beganErr := begun()
			for what, err := range map[string]error{
				"past": moveErr, "begun": beganErr, "look": lookErr, "the way back": w.goBack(t.Context()),
			} {
				if err == nil || !strings.Contains(err.Error(), "look for what the run has written down") {
					t.Errorf("%s, %s: got %v", name, what, err)
				}
			}
		}
	})
}
