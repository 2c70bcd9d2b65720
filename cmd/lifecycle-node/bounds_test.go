// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
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

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// flood is a text as a host may have it, up to some size.
func flood(random *rand.Rand) string {
	piece := []string{"x", "\x1b[2J", "\n", "<&>\"\\", "界", "\xff", "\u2028", "mount /var/lib/kubelet/pods/… is busy; "}[random.IntN(8)]
	return strings.Repeat(piece, random.IntN(1+[]int{10, 3000, 400_000}[random.IntN(3)]/len(piece)))
}

// Whatever a plan reports, the record stays far below what a Secret holds, and the
// phase arrives; also where somebody else has filled the record.
func TestTheRecordStaysSmallAndThePhaseArrives(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `ip link set lo up; mount -t tmpfs tmpfs /var/lib; mkdir -m 700 `+stateDir)
		for seed := range uint64(12) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := newSecretServer(t, wire.Working)
			filled, room := seed%4 == 3, map[uint64]int{2: 110 << 10, 3: 2 << 10}[seed%4]
			if room > 0 { // enough for the outcome, or for a phase
				s.data["junk"] = strings.Repeat("x", 1<<20-room)
			}
			r := reporterTo(t, s)
			for range random.IntN(200) {
				r.Observe(plan.Event{Time: time.Now(), Plan: flood(random), Step: flood(random), Title: flood(random), Kind: plan.Progress, Message: flood(random)})
			}
			v := inventory.Verdict{State: inventory.Dirty}
			for range random.IntN(3000) {
				v.Lost = append(v.Lost, inventory.Item{Kind: inventory.KindRoute, Name: fmt.Sprint(random.Int(), " via 192.0.2.1")})
			}
			v.Lost = append(v.Lost, inventory.Item{Name: flood(random), Detail: flood(random)})
			raw, err := outcome(v.Brief())
			hosttest.Must(t, err)
			r.set(map[string]string{
				wire.KeyPhase: string(wire.Leaving), wire.KeyOutcome: string(raw),
				wire.KeyError: withHint(plan.Hint(errors.New(flood(random)), "%s", "way out "+flood(random))),
			})
			if err := r.deliver(t.Context(), time.Minute); err != nil {
				t.Fatalf("%d: %v", seed, err)
			}
			size := 0
			for _, key := range []string{wire.KeyPhase, wire.KeyError, wire.KeyEvents, wire.KeyOutcome} {
				size += len(s.get(key))
			}
			if s.get(wire.KeyPhase) != string(wire.Leaving) || size > 256<<10 || s.large > 1<<20 {
				t.Errorf("%d: phase %s, %d bytes, the largest patch has %d", seed, s.get(wire.KeyPhase), size, s.large)
			}
			if room > 0 && !filled && s.get(wire.KeyOutcome) == "" {
				t.Errorf("%d: the outcome had room, and is not there", seed)
			}
			if room > 0 {
				continue
			}
			state, err := wire.Parse(map[string][]byte{
				wire.KeyPhase: []byte(s.get(wire.KeyPhase)), wire.KeyEvents: []byte(s.get(wire.KeyEvents)),
				wire.KeyError: []byte(s.get(wire.KeyError)), wire.KeyOutcome: []byte(s.get(wire.KeyOutcome)),
			})
			if err != nil || !strings.Contains(state.Error, "way out") || state.Outcome == nil {
				t.Errorf("%d: error %.300q, outcome %.100s, %v", seed, state.Error, state.Outcome, err)
			}
			if lines := strings.Count(s.get(wire.KeyEvents), "\n"); lines != len(state.Events) || len(r.events) > 0 && lines == 0 {
				t.Errorf("%d: %d lines, %d events", seed, lines, len(state.Events))
			}
		}
	})
}

// reporterTo is a reporter with a journal of its own.
func reporterTo(t *testing.T, s *secretServer) *reporter {
	t.Helper()
	_ = os.Remove(in(journalFile))
	spec := wire.Spec{
		Record: wire.Ref{Namespace: "ns", Name: "lifecycle-w", UID: "7"}, Endpoints: []string{s.URL},
		CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})),
	}
	a, err := newAPI(spec, "secret-token")
	hosttest.Must(t, err)
	r, err := openReporter(a)
	hosttest.Must(t, err)
	return r
}

// A journal on a disk that fills up keeps what it has, takes new lines as soon as
// there is room, and is gone on with from where it ends.
func TestAJournalOnAFullDiskHasWholeLinesOnly(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `ip link set lo up; mount -t tmpfs tmpfs /var/lib; mkdir -m 700 `+stateDir+`; mount -t tmpfs -o size=16k,mode=700 tmpfs `+stateDir)
		s := newSecretServer(t, wire.Working)
		r := reporterTo(t, s)
		event := plan.Event{Step: "s", Kind: plan.Progress, Message: strings.Repeat("x", 1500)}
		for range 20 {
			r.Observe(event)
		}
		raw, err := os.ReadFile(in(journalFile))
		hosttest.Must(t, err)
		lines := strings.Count(string(raw), "\n")
		if lines == 0 || lines == 20 || !strings.HasSuffix(string(raw), "}\n") {
			t.Fatalf("%d lines, the end is %.50q", lines, raw[len(raw)-50:])
		}
		hosttest.Must(t, r.flush(t.Context()))
		if seen := strings.Count(s.get(wire.KeyEvents), "\n"); seen != 20 {
			t.Errorf("the record has %d of 20 events", seen)
		}
		hosttest.Must(t, os.Truncate(in(journalFile), int64(len(raw)-10))) // a power cut
		again, err := openReporter(r.api)
		hosttest.Must(t, err)
		again.Observe(plan.Event{Step: "last", Kind: plan.Done})
		third, err := openReporter(r.api)
		hosttest.Must(t, err)
		if n := len(third.events); n != lines || third.events[n-1].Step != "last" || third.events[n-1].Seq != lines {
			t.Errorf("%d events, the last is %+v", n, third.events[n-1])
		}
	})
}

// A journal that is none keeps nobody waiting, and nothing from being reported.
func TestAJournalThatIsNoFileIsNotReadForEver(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `mount -t tmpfs tmpfs /var/lib; mkdir -m 700 `+stateDir)
		for name, plant := range map[string]string{
			"a FIFO": "mkfifo " + in(journalFile), "a device": "mknod " + in(journalFile) + " c 1 5", "a link": "echo mine > " + dir + "/mine; ln -s " + dir + "/mine " + in(journalFile),
			"a directory": "mkdir " + in(journalFile),
		} {
			hosttest.Script(t, plant)
			if r, err := openReporter(nil); err == nil {
				r.Observe(plan.Event{Step: "s"})
			}
			hosttest.Script(t, "rm -r "+in(journalFile)+"; test ! -e "+dir+"/mine || test $(cat "+dir+"/mine) = mine || { echo "+name+"; exit 1; }")
		}
		hosttest.Script(t, "truncate -s 1T "+in(journalFile))
		if _, err := openReporter(nil); err != nil {
			t.Errorf("a file without end: %v", err)
		}
	})
}

func TestAFileThatCannotBeWrittenLeavesTheOldOne(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `mkdir `+dir+`/small; mount -t tmpfs -o size=16k tmpfs `+dir+`/small`)
		path := dir + "/small/state"
		hosttest.Must(t, place(path, 0o600, strings.NewReader("old")))
		if err := place(path, 0o600, strings.NewReader(strings.Repeat("x", 1<<20))); err == nil {
			t.Error("it was written")
		}
		if got := hosttest.Script(t, "cd "+dir+"/small; ls; cat state"); got != "state\nold" {
			t.Errorf("left: %q", got)
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
		got := cut(s, most)
		raw, err := json.Marshal(got)
		if err != nil || len(raw) > most+2 || !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\x07\x00\x7f\u009b") {
			t.Errorf("%d bytes of %d: %q", len(raw), most, got)
		}
		if clean := strings.Trim(s, "abcdefghijklmnopqrstuvwxyz ") == ""; clean && len(s) < most-3 && got != s {
			t.Errorf("%q is cut to %q", s, got)
		}
	})
}

// Whatever is on the disk, it is an order only where it says all that one says.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"operation":"remove","node":"w","record":{"name":"a","namespace":"b","uid":"c"},"endpoints":["https://a"],"ca":"x","patience":1,"task":{}}`))
	f.Add([]byte(`{"operation":"move","destination":null}`))
	f.Add([]byte(`{"phase":"finished"}`))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		spec, err := decodeSpec(raw)
		if err == nil && (spec.Operation != wire.Remove && spec.Operation != wire.Move || spec.Node == "" || spec.Record.UID == "" || spec.Patience <= 0) {
			t.Errorf("an order: %+v", spec)
		}
		if err != nil && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "") {
			t.Errorf("not refused: %v", err)
		}
		if word, err := decodeLastWord(raw); err == nil && word.Phase != wire.Finished && word.Phase != wire.Aborted {
			t.Errorf("a last word: %+v", word)
		}
		if name, err := nameIn(raw); err == nil && len(name) > len(raw) {
			t.Errorf("a name: %q", name)
		}
		if _, err := accept(context.Background(), strings.NewReader(string(raw)+"\n")); err == nil {
			t.Error("a delivery for another machine was accepted")
		}
	})
}
