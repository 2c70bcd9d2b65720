// SPDX-License-Identifier: Apache-2.0

//go:build linux

package report

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report/reporttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// journal is where a run has it.
const journal = "/var/lib/kubectl-lifecycle/journal"

// flood is a text as a host may have it, up to some size.
func flood(random *rand.Rand) string {
	piece := []string{"x", "\x1b[2J", "\n", "<&>\"\\", "界", "\xff", "\u2028", "mount /var/lib/kubelet/pods/… is busy; "}[random.IntN(8)]
	return strings.Repeat(piece, random.IntN(1+[]int{10, 3000, 400_000}[random.IntN(3)]/len(piece)))
}

// Whatever a plan reports, the record stays far below what a Secret holds, and the
// phase arrives; also where somebody else has filled the record.
func TestTheRecordStaysSmallAndThePhaseArrives(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `ip link set lo up; mount -t tmpfs tmpfs /var/lib; mkdir -m 700 `+"/var/lib/kubectl-lifecycle")
		for seed := range uint64(12) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := reporttest.New(t, wire.Working)
			filled, room := seed%4 == 3, map[uint64]int{2: 110 << 10, 3: 2 << 10}[seed%4]
			if room > 0 { // enough for the outcome, or for a phase
				s.Data["junk"] = strings.Repeat("x", 1<<20-room)
			}
			r := reporterTo(t, s)
			for range random.IntN(200) {
				r.Observe(plan.Event{Time: time.Now(), Plan: flood(random), Step: flood(random), Title: flood(random), Kind: plan.Progress,
					Message: flood(random)})
			}
			v := inventory.Verdict{State: inventory.Dirty}
			for range random.IntN(3000) {
				v.Lost = append(v.Lost, inventory.Item{Kind: inventory.KindRoute, Name: fmt.Sprint(random.Int(), " via 192.0.2.1")})
			}
			v.Lost = append(v.Lost, inventory.Item{Name: flood(random), Detail: flood(random)})
			raw, err := json.Marshal(v.Brief())
			hosttest.Must(t, err)
			r.Set(map[string]string{
				wire.KeyPhase: string(wire.Leaving), wire.KeyOutcome: string(raw),
				wire.KeyError: WithHint(plan.Hint(errors.New(flood(random)), "%s", "way out "+flood(random))),
			})
			if err := r.Deliver(t.Context(), time.Minute); err != nil {
				t.Fatalf("%d: %v", seed, err)
			}
			size := 0
			for _, key := range []string{wire.KeyPhase, wire.KeyError, wire.KeyEvents, wire.KeyOutcome} {
				size += len(s.Get(key))
			}
			if s.Get(wire.KeyPhase) != string(wire.Leaving) || size > 256<<10 || s.Large > 1<<20 {
				t.Errorf("%d: phase %s, %d bytes, the largest patch has %d", seed, s.Get(wire.KeyPhase), size, s.Large)
			}
			if room > 0 && !filled && s.Get(wire.KeyOutcome) == "" {
				t.Errorf("%d: the outcome had room, and is not there", seed)
			}
			if room > 0 {
				continue
			}
			state, err := wire.Parse(map[string][]byte{
				wire.KeyPhase: []byte(s.Get(wire.KeyPhase)), wire.KeyEvents: []byte(s.Get(wire.KeyEvents)),
				wire.KeyError: []byte(s.Get(wire.KeyError)), wire.KeyOutcome: []byte(s.Get(wire.KeyOutcome)),
			})
			if err != nil || !strings.Contains(state.Error, "way out") || state.Outcome == nil {
				t.Errorf("%d: error %.300q, outcome %.100s, %v", seed, state.Error, state.Outcome, err)
			}
			if lines := strings.Count(s.Get(wire.KeyEvents), "\n"); lines != len(state.Events) || len(r.events) > 0 && lines == 0 {
				t.Errorf("%d: %d lines, %d events", seed, lines, len(state.Events))
			}
		}
	})
}

// reporterTo is a reporter with a journal of its own.
func reporterTo(t *testing.T, s *reporttest.Server) *Reporter {
	t.Helper()
	_ = os.Remove(journal)
	spec := wire.Spec{
		Record: wire.Ref{Namespace: "ns", Name: "lifecycle-w", UID: "7"}, Endpoints: []string{s.URL},
		CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})),
	}
	a, err := NewAPI(spec, "secret-token")
	hosttest.Must(t, err)
	r, err := Open(a, journal)
	hosttest.Must(t, err)
	return r
}

// A journal on a disk that fills up keeps what it has, takes new lines as soon as
// there is room, and is gone on with from where it ends.
func TestAJournalOnAFullDiskHasWholeLinesOnly(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `ip link set lo up; mount -t tmpfs tmpfs /var/lib; mkdir -m 700 `+"/var/lib/kubectl-lifecycle"+`
mount -t tmpfs -o size=16k,mode=700 tmpfs `+"/var/lib/kubectl-lifecycle")
		s := reporttest.New(t, wire.Working)
		r := reporterTo(t, s)
		event := plan.Event{Step: "s", Kind: plan.Progress, Message: strings.Repeat("x", 1500)}
		for range 20 {
			r.Observe(event)
		}
		raw, err := os.ReadFile(journal)
		hosttest.Must(t, err)
		lines := strings.Count(string(raw), "\n")
		if lines == 0 || lines == 20 || !strings.HasSuffix(string(raw), "}\n") {
			t.Fatalf("%d lines, the end is %.50q", lines, raw[len(raw)-50:])
		}
		hosttest.Must(t, r.Flush(t.Context()))
		if seen := strings.Count(s.Get(wire.KeyEvents), "\n"); seen != 20 {
			t.Errorf("the record has %d of 20 events", seen)
		}
		hosttest.Must(t, os.Truncate(journal, int64(len(raw)-10))) // a power cut
		again, err := Open(r.api, journal)
		hosttest.Must(t, err)
		again.Observe(plan.Event{Step: "last", Kind: plan.Done})
		third, err := Open(r.api, journal)
		hosttest.Must(t, err)
		if n := len(third.events); n != lines || third.events[n-1].Step != "last" || third.events[n-1].Seq != lines {
			t.Errorf("%d events, the last is %+v", n, third.events[n-1])
		}
	})
}

// A journal that is none keeps nobody waiting, and nothing from being reported.
func TestAJournalThatIsNoFileIsNotReadForEver(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib; mkdir -m 700 `+"/var/lib/kubectl-lifecycle")
		for name, plant := range map[string]string{
			"a FIFO": "mkfifo " + journal, "a device": "mknod " + journal + " c 1 5", "a link": "echo mine > " + dir + "/mine; ln -s " + dir +
				"/mine " + journal,
			"a directory": "mkdir " + journal,
		} {
			hosttest.Script(t, plant)
			if r, err := Open(nil, journal); err == nil {
				r.Observe(plan.Event{Step: "s"})
			}
			hosttest.Script(t, "rm -r "+journal+"; test ! -e "+dir+"/mine || test $(cat "+dir+"/mine) = mine || { echo "+name+"; exit 1; }")
		}
		hosttest.Script(t, "truncate -s 1T "+journal)
		if _, err := Open(nil, journal); err != nil {
			t.Errorf("a file without end: %v", err)
		}
	})
}

func FuzzCut(f *testing.F) {
	f.Add("a\x1b[2Jb<&>\"\\\n", 20)
	f.Add(strings.Repeat("界\xff\u2028", 100), 100)
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < 3 || most > 1<<16 {
			return
		}
		got := Cut(s, most)
		raw, err := json.Marshal(got)
		if err != nil || len(raw) > most+2 || !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\x07\x00\x7f\u009b") {
			t.Errorf("%d bytes of %d: %q", len(raw), most, got)
		}
		if clean := strings.Trim(s, "abcdefghijklmnopqrstuvwxyz ") == ""; clean && len(s) < most-3 && got != s {
			t.Errorf("%q is cut to %q", s, got)
		}
	})
}
