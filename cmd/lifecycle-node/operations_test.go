// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report/reporttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func TestEveryOperationIsEitherAnsweredOrARun(t *testing.T) {
	var names []wire.Operation
	for _, op := range operations() {
		names = append(names, op.name)
		if (op.answer == nil && op.converse == nil) == (op.run == nil) || op.run != nil && op.run.do == nil {
			t.Errorf("%s is neither, or both", op.name)
		}
	}
	want := []wire.Operation{wire.Inspect, wire.LookNetwork, wire.DeadMember, wire.ShareCertificates, wire.LookCertificates,
		wire.RenewCertificates, wire.CleanNetwork, wire.RunCommand, wire.RecoverKubelet, wire.Remove, wire.Move, wire.Prep, wire.Join, wire.Init}
	if !slices.Equal(names, want) {
		t.Errorf("operations %v, want %v", names, want)
	}
}

// polish is an imaginary operation: what it takes to add one is a value like this.
func polish(did *int, fails bool) operation {
	return operation{name: "polish", run: &run{
		complete: func(spec wire.Spec) error {
			if !strings.Contains(string(spec.Task), "wax") {
				return errors.New("it names no wax")
			}
			return nil
		},
		do: func(context.Context, *worker) (json.RawMessage, error) {
			if *did++; fails {
				return nil, errors.New("no shine")
			}
			return json.RawMessage(`{"shine":"bright"}`), nil
		},
	}}
}

func TestAnOperationThatIsAddedRunsToItsEnd(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Preparing)
		spec := node(t, dir, s, "polish")
		spec.Task = json.RawMessage(`{"wax": "bee"}`)
		write(t, specFile, spec)
		did := 0
		s.Data[wire.KeyOrder] = string(wire.Go)
		hosttest.Must(t, untilBy(t, s, append(operations(), polish(&did, false)), never))
		if did != 1 || s.Get(wire.KeyPhase) != string(wire.Finished) || s.Get(wire.KeyOutcome) != `{"shine":"bright"}` {
			t.Errorf("it was done %d times, phase %s, outcome %s", did, s.Get(wire.KeyPhase), s.Get(wire.KeyOutcome))
		}
		if _, err := os.Stat(stateDir); err == nil {
			t.Error("something of the run is left on the host")
		}
	})
}

func TestAnOperationThatIsAddedWaitsWhereItFails(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		s := reporttest.New(t, wire.Preparing)
		spec := node(t, dir, s, "polish")
		spec.Task = json.RawMessage(`{"wax": "bee"}`)
		write(t, specFile, spec)
		did := 0
		s.Data[wire.KeyOrder] = string(wire.Go)
		_ = untilBy(t, s, append(operations(), polish(&did, true)), func(at string) bool { return at == string(wire.Waiting) })
		if did == 0 || s.Get(wire.KeyError) == "" {
			t.Errorf("it was done %d times, error %q", did, s.Get(wire.KeyError))
		}
	})
}

func TestASpecOfAnOperationThatIsNotThereIsNoOrder(t *testing.T) {
	raw := []byte(`{"operation":"polish","node":"w","record":{"name":"a","namespace":"b","uid":"c"},"endpoints":["https://a"],"ca":"x",
		"patience":1,"task":{"wax":"bee"}}`)
	did := 0
	for name, tc := range map[string]struct {
		raw  []byte
		all  []operation
		says string
	}{
		"it was not added": {raw, operations(), `unknown operation "polish"`},
		"it was":           {raw, append(operations(), polish(&did, false)), ""},
		"what it takes is missing": {bytes.ReplaceAll(raw, []byte("wax"), []byte("oil")), append(operations(), polish(&did, false)),
			"it names no wax"},
		"it is only answered": {bytes.ReplaceAll(raw, []byte("polish"), []byte("inspect")), operations(), `unknown operation "inspect"`},
	} {
		_, _, err := decodeSpec(tc.raw, tc.all)
		if (err == nil) != (tc.says == "") || err != nil && (!strings.Contains(err.Error(), tc.says) || plan.ClassOf(err) != plan.Refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnErrorOfABareHostSaysWhetherItWasChanged: "nothing was changed" is a promise.
func TestAnErrorOfABareHostSaysWhetherItWasChanged(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		changed bool
	}{
		"it failed on the way": {errors.New("swapoff: cannot allocate memory"), true},
		"it was refused":       {plan.As(plan.Refused, errors.New("no")), false},
	} {
		bare := operation{name: "bare", bare: true, answer: func(context.Context, wire.Delivery) (json.RawMessage, error) { return nil, c.err }}
		var out bytes.Buffer
		code := enter(t.Context(), strings.NewReader(`{"spec":{"operation":"bare"}}`+"\n"), &out, []operation{bare})
		var answer wire.Answer
		raw, _ := bytes.CutPrefix(out.Bytes(), []byte(wire.AnswerPrefix))
		if err := json.Unmarshal(raw, &answer); err != nil || code != 1 || answer.Changed != c.changed ||
			strings.Contains(answer.Hint, "nothing was changed") == c.changed {
			t.Errorf("%s: %s, %v", name, out.String(), err)
		}
	}
}
