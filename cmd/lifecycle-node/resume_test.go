// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report/reporttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// node makes the isolated host one on which a run is: systemd is a script, and the
// container runtime does not answer, so that no work comes further than that.
func node(t *testing.T, dir string, s *reporttest.Server, operation wire.Operation) wire.Spec {
	t.Helper()
	hosttest.Script(t, `ip link set lo up; mkdir -p `+dir+`/etc `+dir+`/bin; cp -a /etc/. `+dir+`/etc/; mount --bind `+dir+`/etc /etc
for d in /var/lib /run /etc/systemd/system; do mkdir -p $d; mount -t tmpfs tmpfs $d; done
rm -rf /etc/kubernetes /etc/cni; mkdir -p /run/systemd/system /etc/kubernetes/pki /etc/cni/net.d
mkdir -p /var/lib/kubelet/pki /etc/systemd/system/multi-user.target.wants
mkdir -m 700 `+stateDir+`; touch `+in(lockName)+`; echo > /var/lib/kubelet/config.yaml; echo old > /etc/kubernetes/kubelet.conf
echo active > `+dir+`/kubelet; touch `+dir+`/did
touch `+unitFile+`; ln -s `+unitFile+` `+unitLink)
	script := `#!/bin/sh
case "$1" in show) echo LoadState=loaded; echo ActiveState=$(cat ` + dir + `/kubelet); exit;; start) echo active > ` + dir +
		`/kubelet;; stop) echo inactive > ` + dir + `/kubelet;; esac
echo "$1" >> ` + dir + `/did
`
	hosttest.Must(t, os.WriteFile(dir+"/bin/systemctl", []byte(script), 0o755))
	t.Setenv("PATH", dir+"/bin:"+os.Getenv("PATH"))
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	spec := wire.Spec{
		Operation: operation, Node: "w", Record: wire.Ref{Namespace: "ns", Name: "lifecycle-w", UID: "7"}, Endpoints: []string{s.URL}, CA: ca,
		Patience: time.Minute, Task: json.RawMessage(`{"node": "w", "criSocket": "unix:///run/nobody.sock", "noBackup": true}`),
	}
	if operation == wire.Move {
		spec.Destination = &wire.Destination{Endpoint: "api:6443", CA: ca}
	}
	write(t, specFile, spec)
	hosttest.Must(t, os.WriteFile(in("token"), []byte("secret-token"), 0o600))
	hosttest.Must(t, os.WriteFile(in("join-token"), []byte("abcdef.0123456789abcdef"), 0o600))
	return spec
}

func write(t *testing.T, name string, value any) {
	t.Helper()
	raw, err := json.Marshal(value)
	hosttest.Must(t, err)
	hosttest.Must(t, os.WriteFile(in(name), raw, 0o600))
}

// did is what was done to the units of the host.
func did(t *testing.T, dir string) string {
	t.Helper()
	return strings.Join(strings.Fields(hosttest.Script(t, "cat "+dir+"/did")), " ")
}

// until works until the record says something, or the program ends by itself.
func until(t *testing.T, s *reporttest.Server, enough func(at string) bool) error {
	t.Helper()
	return untilBy(t, s, operations(), enough)
}

func untilBy(t *testing.T, s *reporttest.Server, all []operation, enough func(at string) bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s.On = func(at string) {
		if enough(at) {
			cancel()
		}
	}
	return work(ctx, all)
}

func never(string) bool { return false }

// A node that was taken back while nothing could be written serves pods again when
// the program is started the next time: it is left alone, whether or not something
// can be written by then.
func TestANodeThatWasTakenBackIsNotCleanedWhenItsRunCouldNotLeave(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, top string) {
		for _, mode := range []string{"ro", "rw"} {
			s, dir := reporttest.New(t, wire.Aborted), top+"/"+mode
			node(t, dir, s, wire.Remove)
			hosttest.Script(t, `touch `+in(begunFile)+`; mount -o remount,`+mode+` /var/lib`)
			hosttest.Must(t, until(t, s, never))
			if got := did(t, dir); strings.Contains(got, "stop") || s.Get(wire.KeyEvents) != "" &&
				strings.Contains(s.Get(wire.KeyEvents), "containers") {
				t.Errorf("%s: done: %s, says %v", mode, got, s.Data)
			}
			if left := hosttest.Script(t, "find /etc/systemd/system -name '*lifecycle*'"); left != "" {
				t.Errorf("%s: the next boot starts it again: %s", mode, left)
			}
			if s.Get(wire.KeyPhase) != string(wire.Aborted) {
				t.Errorf("%s: it says %s", mode, s.Data)
			}
		}
	})
}

// The same, and at first no API server answers: then nothing is done at all.
func TestAHostInServiceIsNotTouchedBeforeTheRecordSaysSo(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Working)
		node(t, dir, s, wire.Remove)
		hosttest.Script(t, `touch `+in(begunFile))
		s.Down = true
		err := until(t, s, func(string) bool {
			s.Mu.Lock()
			defer s.Mu.Unlock()
			return s.Asked > 2
		})
		if got := did(t, dir); got != "" || err == nil {
			t.Fatalf("done: %q, error %v", got, err)
		}
		s.Down = false
		_ = until(t, s, func(at string) bool { return at == string(wire.Waiting) })
		if got := did(t, dir); !strings.Contains(got, "stop") || !strings.Contains(s.Get(wire.KeyError), "nobody.sock") {
			t.Errorf("with the record's word it does not go on: done %q, error %q", got, s.Get(wire.KeyError))
		}
	})
}

// Held, it goes on without an API server, as ever.
func TestAHostWhoseKubeletIsHeldNeedsNoAPIServerToGoOn(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Working)
		node(t, dir, s, wire.Remove)
		hosttest.Script(t, `touch `+in(begunFile))
		_ = until(t, s, func(at string) bool { return at == string(wire.Waiting) })
		if !strings.Contains(did(t, dir), "stop") {
			t.Fatal("it does not stop the kubelet")
		}
		s.Down = true
		asked := s.Asked
		_ = until(t, s, func(string) bool {
			s.Mu.Lock()
			defer s.Mu.Unlock()
			return s.Asked > asked+3
		})
		raw, err := os.ReadFile(in(journalName))
		if again := strings.Count(string(raw),
			`"step":"containers","title":"Stop and remove the pods' containers","kind":"failed"`); err != nil || again != 2 {
			t.Errorf("it came %d times as far as the containers, %v:\n%s", again, err, raw)
		}
		s.Down, s.Data[wire.KeyOrder] = false, string(wire.Abort)
		hosttest.Must(t, until(t, s, never))
		if s.Get(wire.KeyPhase) != string(wire.Aborted) || !strings.HasSuffix(did(t, dir), "start daemon-reload") {
			t.Errorf("taken back: %s, done %s", s.Get(wire.KeyPhase), did(t, dir))
		}
	})
}

// What is ordered while the work goes on is heard as soon as it cannot go on.
func TestAnOrderThatIsGivenWhileItWorksIsNotLost(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Ready)
		spec := node(t, dir, s, wire.Remove)
		spec.Patience = time.Hour
		write(t, specFile, spec)
		s.Data[wire.KeyOrder] = string(wire.Go)
		hosttest.Must(t, until(t, s, func(at string) bool {
			if at == string(wire.Working) {
				s.Mu.Lock()
				defer s.Mu.Unlock()
				s.Data[wire.KeyOrder] = string(wire.Abort)
			}
			return false
		}))
		if s.Get(wire.KeyPhase) != string(wire.Aborted) || !strings.Contains(did(t, dir), "stop") ||
			!strings.HasSuffix(strings.TrimSuffix(did(t, dir), " daemon-reload"), "start") {
			t.Errorf("done %q, says %v", did(t, dir), s.Data)
		}
	})
}

// A copy of the disk is another machine, whatever else is the same on it.
func TestACopyOfAHostIsNotCleanedInItsPlace(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Working)
		node(t, dir, s, wire.Remove)
		now := signsNow(t)
		for name, plant := range map[string]string{
			"the signs are another's": `{"board": "another", "macs": ["02:00:00:00:00:01"]}`,
			"the signs are damaged":   `{"macs`,
			"the signs are empty":     ``,
		} {
			if strings.Contains(plant, "another") && now.Board == "" && len(now.MACs) == 0 {
				continue // nothing can be compared in a container: package host tests that
			}
			hosttest.Script(t, `touch `+in(begunFile))
			hosttest.Must(t, os.WriteFile(in(signsFile), []byte(plant), 0o600))
			hosttest.Must(t, until(t, s, never))
			said, err := os.ReadFile(motd)
			if did(t, dir) != "" || s.Asked > 0 || err != nil || !strings.Contains(string(said), in(signsFile)) {
				t.Errorf("%s: done %q, asked %d times, said %q, %v", name, did(t, dir), s.Asked, said, err)
			}
		}
	})
}

// What is damaged is no order to clean.
func TestWhatIsDamagedIsNoOrderToClean(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Working)
		spec := node(t, dir, s, wire.Remove)
		whole, err := json.Marshal(spec)
		hosttest.Must(t, err)
		half := string(whole[:len(whole)/2])
		without := func(change func(*wire.Spec)) string {
			other := spec
			change(&other)
			raw, err := json.Marshal(other)
			hosttest.Must(t, err)
			return string(raw)
		}
		for name, raw := range map[string]string{
			"empty": "", "half of it": half, "nothing in it": "{}", "zeros, as after a power cut": strings.Repeat("\x00",
				512), "another thing": `[1]`,
			"without an operation":   without(func(s *wire.Spec) { s.Operation = "" }),
			"to look only":           without(func(s *wire.Spec) { s.Operation = wire.Inspect }),
			"to go nowhere":          without(func(s *wire.Spec) { s.Operation = wire.Move }),
			"of no node":             without(func(s *wire.Spec) { s.Node = "" }),
			"of no record":           without(func(s *wire.Spec) { s.Record.UID = "" }),
			"without an order":       without(func(s *wire.Spec) { s.Task = nil }),
			"with an unknown choice": without(func(s *wire.Spec) { s.Task = json.RawMessage(`{"firewall": "x"}`) }),
			"without patience":       without(func(s *wire.Spec) { s.Patience = -1 }),
		} {
			hosttest.Script(t, `touch `+in(begunFile))
			hosttest.Must(t, os.WriteFile(in(specFile), []byte(raw), 0o600))
			if err := until(t, s, never); err != nil || did(t, dir) != "" || s.Asked > 0 {
				t.Errorf("%s: done %q, asked %d times, %v", name, did(t, dir), s.Asked, err)
			}
			if said, err := os.ReadFile(motd); err != nil || !strings.Contains(string(said), "rm -r") {
				t.Errorf("%s: said %q, %v", name, said, err)
			}
			_ = os.Remove(motd)
		}
	})
}

// A login shows what is in the notice: no word of an API server or of a command moves a cursor there.
func TestTheNoticeAtALoginIsFiltered(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		notice(plan.Hint(errors.New("unmount /x: \x1b[2J\x1b]0;owned\x07 \u202egnp.exe\rroot@host:~# "), "see \x1b[31mhere\x9b2K"))
		said, err := os.ReadFile(motd)
		if err != nil || !strings.Contains(string(said), "unmount /x") || strings.ContainsAny(string(said), "\x1b\x07\r\u202e\u009b") {
			t.Errorf("said %q, %v", said, err)
		}
		_ = os.Remove(motd)
	})
}

// A last word that is damaged says nothing: what it was about is asked again.
func TestALastWordThatIsDamagedIsNone(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		for n, raw := range []string{"", `{"phase"`, `{"phase": "working"}`, "\x00\x00"} {
			s := reporttest.New(t, wire.Preparing)
			node(t, fmt.Sprint(dir, "/", n), s, wire.Remove)
			hosttest.Must(t, os.WriteFile(in(lastWord), []byte(raw), 0o600))
			_ = until(t, s, func(at string) bool { return at == string(wire.Ready) })
			if s.Get(wire.KeyPhase) != string(wire.Ready) {
				t.Errorf("%q: it says %q", raw, s.Get(wire.KeyPhase))
			}
		}
	})
}

// Once the work is done, the host is somebody else's.
func TestAHostWhoseWorkIsDoneIsNotWorkedOnAgain(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Working)
		node(t, dir, s, wire.Remove) // it is a node again: somebody has joined it anew
		hosttest.Script(t, `touch `+in(begunFile))
		write(t, outcomeFile, inventory.Verdict{State: inventory.Clean})
		hosttest.Must(t, until(t, s, never))
		if got := did(t, dir); strings.Contains(got, "stop") || s.Get(wire.KeyPhase) != string(wire.Finished) ||
			!strings.Contains(s.Get(wire.KeyOutcome), `"clean"`) {
			t.Errorf("done %q, says %v", got, s.Data)
		}
		if left := hosttest.Script(t, "ls -A /var/lib; cat /etc/kubernetes/kubelet.conf"); left != "kubelet\nold\n" {
			t.Errorf("left: %q", left)
		}
	})
}

// A removal waits, half done, and somebody has joined the host by hand: neither the
// next boot nor an order to try again cleans it, however the clock was set in between.
func TestAHostThatWasJoinedByHandWhileItsRemovalWaitedIsNotCleaned(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, top string) {
		for _, order := range []wire.Order{"", wire.Retry} {
			for clock, began := range map[string]string{"right": "now", "ahead": "next year"} {
				s, dir := reporttest.New(t, wire.Waiting), top+"/"+string(order)+clock
				node(t, dir, s, wire.Remove)
				hosttest.Must(t, os.WriteFile(in(begunFile), []byte("then\n"+nodeMark()+"\n"), 0o600))
				hosttest.Script(t, `touch -d '`+began+`' `+in(begunFile)+`; rm /etc/kubernetes/kubelet.conf; sleep 0.1
echo new > /etc/kubernetes/kubelet.conf`)
				s.Data[wire.KeyOrder] = string(order)
				_ = until(t, s, func(string) bool { return s.Get(wire.KeyError) != "" })
				if got := did(t, dir); strings.Contains(got, "stop") || !strings.Contains(s.Get(wire.KeyError), "joined a cluster again") {
					t.Errorf("order %q, clock %s: done %q, says %v", order, clock, got, s.Data)
				}
			}
		}
	})
}

// Killed after kubeadm has done its part, however little of that was written down
// and whatever the kubelet does, the host is told to have joined.
func TestAHostThatHasJoinedIsToldToHaveJoined(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, top string) {
		for name, tc := range map[string]struct{ plant, state string }{
			"its kubelet crashes":                 {"", "activating"},
			"its kubelet has given up":            {"", "failed"},
			"its kubelet was not started yet":     {"", "inactive"},
			"it is noted, and its files differ":   {"touch " + in(joinedFile) + "; rm /etc/kubernetes/kubelet.conf", "active"},
			"the record of the old one is gone":   {"touch " + in(joinedFile), "active"},
			"it is noted, and nothing has an end": {"touch " + in(joinedFile) + "; touch /etc/kubernetes/bootstrap-kubelet.conf", "deactivating"},
		} {
			s, dir := reporttest.New(t, wire.Working), top+"/"+strings.ReplaceAll(name, " ", "-")
			spec := node(t, dir, s, wire.Move)
			conf := "certificate-authority-data: " + base64.StdEncoding.EncodeToString([]byte(spec.CA)) + "\nserver: https://other:6443\n"
			hosttest.Must(t, os.WriteFile("/etc/kubernetes/kubelet.conf", []byte(conf), 0o600))
			hosttest.Must(t, os.WriteFile("/var/lib/kubelet/pki/kubelet-client-current.pem", []byte(spec.CA), 0o600))
			hosttest.Script(t, `touch `+in(begunFile)+`; echo '{"state": "clean"}' > `+in(verdictFile)+`; echo `+tc.state+` > `+dir+`/kubelet
`+tc.plant)
			if strings.Contains(name, "gone") {
				s.Data[wire.KeyPhase] = string(wire.Aborted)
			}
			// Its certificate is a server's here, and names no node.
			spec.Node = nameOf(t, spec.CA)
			write(t, specFile, spec)
			hosttest.Must(t, until(t, s, never))
			if got := did(t, dir); strings.Contains(got, "stop") || s.Get(wire.KeyPhase) != string(wire.Finished) ||
				s.Get(wire.KeyOutcome) != `{"verdict":{"state":"clean"}}` {
				t.Errorf("%s: done %q, says %v", name, got, s.Data)
			}
		}
	})
}

// The way back is not the way into the other cluster.
func TestAHostThatHasLeftItsClusterIsNotStartedAsANodeOfIt(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Working)
		node(t, dir, s, wire.Move)
		hosttest.Script(t, `touch `+in(begunFile)+`; echo '{"state": "clean"}' > `+in(verdictFile)+`
mv /etc/kubernetes/kubelet.conf /etc/kubernetes/bootstrap-kubelet.conf; echo inactive > `+dir+`/kubelet`)
		w, err := newWorker(operations())
		hosttest.Must(t, err)
		if err := w.goBack(t.Context()); err == nil || strings.Contains(did(t, dir), "start") {
			t.Errorf("error %v, done %q", err, did(t, dir))
		}
	})
}

// Of an earlier run that was killed nothing stays in place while a new one waits.
func TestARunThatWaitsToBeginTakesAwayWhatAnEarlierOneLeft(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Preparing)
		node(t, dir, s, wire.Remove)
		hosttest.Script(t, `echo '{}' > /etc/cni/net.d/00-kubectl-lifecycle.conflist; mkdir -p /etc/systemd/system/kubelet.service.d /run/motd.d
touch `+inventory.HoldFile+` `+motd)
		_ = until(t, s, func(at string) bool { return at == string(wire.Ready) })
		if left := hosttest.Script(t, `ls /etc/cni/net.d
find /etc/systemd/system/kubelet.service.d /run/motd.d -type f 2>/dev/null || true`); left != "" ||
			s.Get(wire.KeyPhase) != string(wire.Ready) {
			t.Errorf("left: %q; it says %q", left, s.Get(wire.KeyPhase))
		}
	})
}

func TestAFullDiskIsNoBeginning(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Ready)
		node(t, dir, s, wire.Remove)
		hosttest.Script(t, `cp -a `+stateDir+` `+dir+`/state; mount -t tmpfs -o size=64k,mode=700 tmpfs `+stateDir+`
cp -a `+dir+`/state/. `+stateDir+`/; head -c 1M /dev/zero > `+in("full")+` || true`)
		s.Data[wire.KeyOrder] = string(wire.Go)
		err := until(t, s, func(at string) bool { return at == string(wire.Waiting) })
		if did(t, dir) != "" || !strings.Contains(s.Get(wire.KeyError), "no space left") || !strings.Contains(s.Get(wire.KeyError), "make room") {
			t.Errorf("done %q, %v, says %v", did(t, dir), err, s.Data)
		}
		if left := hosttest.Script(t, `ls `+stateDir+` | grep -E 'new|begun' || true`); left != "" {
			t.Errorf("left: %q", left)
		}
		s.Data[wire.KeyOrder] = string(wire.Retry)
		hosttest.Script(t, `rm `+in("full"))
		_ = until(t, s, func(at string) bool {
			return at == string(wire.Waiting) && strings.Contains(s.Get(wire.KeyError), "nobody.sock")
		})
		if !strings.Contains(did(t, dir), "stop") {
			t.Errorf("with room it does not go on: %q, says %v", did(t, dir), s.Data)
		}
	})
}
