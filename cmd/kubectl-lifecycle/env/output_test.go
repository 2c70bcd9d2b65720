// SPDX-License-Identifier: Apache-2.0

package env

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/envtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestConfirmationNeedsATerminalOrYes(t *testing.T) {
	streams, in, _, _ := genericiooptions.NewTestIOStreams()
	e := New(streams, "dev")
	if err := e.Confirm("Really?", "w1"); plan.ClassOf(err) != plan.Misused || !strings.Contains(plan.HintOf(err), "--yes") {
		t.Errorf("without a terminal: %v", err)
	}
	e.Terminal = func(any) bool { return true }
	for answer, want := range map[string]plan.Class{"w1\n": 0, " w1 \n": 0, "yes\n": plan.Refused, "": plan.Refused} {
		in.Reset()
		in.WriteString(answer)
		if got := plan.ClassOf(e.Confirm("Really?", "w1")); got != want {
			t.Errorf("answer %q: class %d, want %d", answer, got, want)
		}
	}
}

func TestAPipeGetsTheValuesOfATemplateAsTheyAre(t *testing.T) {
	for terminal, want := range map[bool]string{false: "a\u202e\n\x1b[2Jb\n", true: "a [2Jb\n"} {
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		e := New(streams, "dev")
		e.Terminal = func(any) bool { return terminal }
		if err := e.Print("jsonpath={.a}", map[string]string{"a": "a\u202e\n\x1b[2Jb"}, nil); err != nil || out.String() != want {
			t.Errorf("on a terminal %t: %q, want %q (%v)", terminal, out, want, err)
		}
	}
}

func TestNoHostWritesALineOfOurs(t *testing.T) {
	inv := inventory.Inventory{Hostname: envtest.Forged, Items: []inventory.Item{
		{Kind: inventory.KindMount, Name: "/var/lib/kubelet/pods/x/volume-subpaths/" + envtest.Forged, In: envtest.Forged, Owner: envtest.Forged,
			Fate: inventory.Goes, Detail: envtest.Forged},
	}}
	steps := plan.Plan{Title: envtest.Forged, Steps: []plan.Step{{ID: "a", Title: envtest.Forged}}, Notes: []string{envtest.Forged}}
	for name, write := range map[string]func(e *Env) error{
		"one in JSON":             func(e *Env) error { return e.Print("json", inv, nil) },
		"one in YAML":             func(e *Env) error { return e.Print("yaml", inv, nil) },
		"one by a template":       func(e *Env) error { return e.Print("jsonpath={.items[*].name}", inv, nil) },
		"an object by a template": func(e *Env) error { return e.Print("jsonpath={.items[0]}", inv, nil) },
		"keys by a template": func(e *Env) error {
			return e.Print("jsonpath={.a}", map[string]any{"a": map[string]string{envtest.Forged: envtest.Forged}}, nil)
		},
		"events as they happen": func(e *Env) error { return e.Event(inv) },
		"a plan":                func(e *Env) error { e.ShowPlan(steps, []string{envtest.Forged}); return nil },
		"a question":            func(e *Env) error { _ = e.Confirm(envtest.Forged, envtest.Forged); return nil },
		"an error with a way out": func(e *Env) error {
			e.TellError(plan.Hint(errors.New(envtest.Forged), "%s", envtest.Forged))
			return nil
		},
		"an error of two":   func(e *Env) error { e.TellError(errors.Join(errors.New("a"), errors.New(envtest.Forged))); return nil },
		"the library's log": func(e *Env) error { _, err := e.Log().Write([]byte(envtest.Forged + "\n")); return err },
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, out, errOut := genericiooptions.NewTestIOStreams()
			e := New(streams, "dev")
			e.Terminal = func(any) bool { return true }
			if err := write(e); err != nil {
				t.Fatal(err)
			}
			envtest.Harmless(t, name, out.String()+errOut.String())
		})
	}
}
