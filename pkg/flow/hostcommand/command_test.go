// SPDX-License-Identifier: Apache-2.0

package hostcommand

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func node(name, system string, ready corev1.ConditionStatus) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
		NodeInfo:   corev1.NodeSystemInfo{OperatingSystem: system},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}},
	}}
}

func TestNodesOnWhichNothingCanBeRunAreRefusedTogether(t *testing.T) {
	if err := Check([]*corev1.Node{node("a", "linux", corev1.ConditionTrue), node("b", "linux", corev1.ConditionFalse)}); err != nil {
		t.Error(err)
	}
	err := Check([]*corev1.Node{node("a", "windows", corev1.ConditionTrue), node("b", "linux", corev1.ConditionUnknown)})
	if plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), "node a runs windows") ||
		!strings.Contains(err.Error(), "node b: its kubelet does not answer") {
		t.Error(err)
	}
}

func TestWhatAHostAnswersIsToldAsWhatItIs(t *testing.T) {
	for name, c := range map[string]struct {
		out   wire.CommandOutcome
		class plan.Class
		says  string
	}{
		"it succeeded":     {wire.CommandOutcome{}, 0, ""},
		"it failed":        {wire.CommandOutcome{Code: 7}, plan.Broken, "exit code 7"},
		"it was killed":    {wire.CommandOutcome{Code: 137, Signal: "SIGKILL"}, plan.Broken, "ended by SIGKILL"},
		"its time was up":  {wire.CommandOutcome{Code: 143, Signal: "SIGTERM", TimedOut: true}, plan.TimedOut, "within 1m0s"},
		"it is not there":  {wire.CommandOutcome{Error: "no such file"}, plan.Broken, "could not be run: no such file"},
		"it is unknown":    {wire.CommandOutcome{Unknown: true}, plan.Broken, "is not known"},
		"escapes are seen": {wire.CommandOutcome{Error: "\x1b[2J"}, plan.Broken, "could not be run"},
	} {
		err := failure("w1", c.out, time.Minute)
		if plan.ClassOf(err) != c.class || err != nil && (!strings.Contains(err.Error(), c.says) || plan.HintOf(err) == "" ||
			strings.Contains(err.Error(), "\x1b")) {
			t.Errorf("%s: %v, hint %q", name, err, plan.HintOf(err))
		}
	}
}

// host is one that answers by a list, the last of it again and again.
type host struct {
	mu      sync.Mutex
	answers []func(o wire.CommandOrder) (wire.CommandOutcome, error)
	orders  []wire.CommandOrder
	// forgot is how often it was told that the outcome has arrived.
	forgot int
}

func (h *host) once(_ context.Context, o wire.CommandOrder) (wire.CommandOutcome, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.Forget {
		h.forgot++
		return wire.CommandOutcome{ID: o.ID}, nil
	}
	h.orders = append(h.orders, o)
	next := h.answers[0]
	if len(h.answers) > 1 {
		h.answers = h.answers[1:]
	}
	return next(o)
}

func says(out wire.CommandOutcome) func(wire.CommandOrder) (wire.CommandOutcome, error) {
	return func(o wire.CommandOrder) (wire.CommandOutcome, error) {
		out.ID = o.ID
		return out, nil
	}
}

func fails(err error) func(wire.CommandOrder) (wire.CommandOutcome, error) {
	return func(wire.CommandOrder) (wire.CommandOutcome, error) { return wire.CommandOutcome{}, err }
}

func TestACommandIsBegunOnceHoweverOftenItIsAskedFor(t *testing.T) {
	refused := plan.Refuse(errors.New("may not create pods"), "ask for it")
	broken := plan.Refuse(podcarrier.ErrNoStream, "port 10250")
	for name, c := range map[string]struct {
		answers []func(wire.CommandOrder) (wire.CommandOutcome, error)
		asked   int
		fails   string
	}{
		"at once": {[]func(wire.CommandOrder) (wire.CommandOutcome, error){says(wire.CommandOutcome{Code: 1})}, 1, ""},
		"it runs for long": {[]func(wire.CommandOrder) (wire.CommandOutcome, error){says(wire.CommandOutcome{Running: true}),
			says(wire.CommandOutcome{})}, 2, ""},
		"the stream broke":   {[]func(wire.CommandOrder) (wire.CommandOutcome, error){fails(broken), says(wire.CommandOutcome{})}, 2, ""},
		"it was not allowed": {[]func(wire.CommandOrder) (wire.CommandOutcome, error){fails(refused)}, 1, "may not create pods"},
		"the runtime is restarted in the middle": {[]func(wire.CommandOrder) (wire.CommandOutcome, error){
			says(wire.CommandOutcome{Running: true}), fails(refused), fails(broken), says(wire.CommandOutcome{})}, 4, ""},
		"a stream breaks after nine minutes": {[]func(wire.CommandOrder) (wire.CommandOutcome, error){
			func(wire.CommandOrder) (wire.CommandOutcome, error) {
				time.Sleep(9 * time.Minute)
				return wire.CommandOutcome{}, broken
			},
			says(wire.CommandOutcome{})}, 2, ""},
		"it never answers": {[]func(wire.CommandOrder) (wire.CommandOutcome, error){fails(broken)}, 0, "no answer for too long"},
		"another's answer": {[]func(wire.CommandOrder) (wire.CommandOutcome, error){func(wire.CommandOrder) (wire.CommandOutcome, error) {
			return wire.CommandOutcome{ID: "other"}, nil
		}}, 1, "for another command"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{answers: c.answers}
				_, err := until(t.Context(), wire.CommandOrder{ID: newID(), Args: []string{"true"}, Limit: time.Minute}, h.once,
					func(string, ...any) {})
				if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
					t.Errorf("%v", err)
				}
				if c.asked > 0 && len(h.orders) != c.asked {
					t.Errorf("asked %d times", len(h.orders))
				}
				if told := h.forgot == 1; told != (err == nil) {
					t.Errorf("told %d times that the outcome has arrived", h.forgot)
				}
				for i, o := range h.orders {
					if (len(o.Args) > 0) != (i == 0) || o.ID != h.orders[0].ID {
						t.Errorf("order %d is %+v", i, o)
					}
				}
			})
		})
	}
}

// A command that failed, or was interrupted, leaves its node cordoned: the next one gives it back.
func TestOnlyANodeThatWasCordonedForACommandIsGivenBackByTheNext(t *testing.T) {
	for name, c := range map[string]struct {
		note string
		open bool
		ours bool
	}{
		"cordoned for a command":             {`{"drain":true,"reason":"a command on the host"}`, false, true},
		"uncordoned since":                   {`{"drain":true,"reason":"a command on the host"}`, true, false},
		"cordoned by a person":               {`{"reason":"a command on the host"}`, false, false},
		"cordoned for a drain of a person's": {`{"drain":true,"reason":"new disks"}`, false, false},
		"cordoned by kubectl":                {"", false, false},
		"a note that is none":                {"{", false, false},
	} {
		n := node("w1", "linux", corev1.ConditionTrue)
		n.Spec.Unschedulable = !c.open
		if c.note != "" {
			n.Annotations = map[string]string{drain.NoteAnnotation: c.note}
		}
		if got := leftCordoned(n); got != c.ours {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A command runs on a node that is still empty, and only a cordon that is as it was is taken back.
func TestWhetherANodeIsStillCordonedForTheCommand(t *testing.T) {
	for name, c := range map[string]struct {
		cordoned  bool
		note      string
		run, back bool
	}{
		"as it was":                          {true, "a", true, true},
		"uncordoned by another client":       {false, "a", false, false},
		"cordoned again, for another reason": {true, "b", true, false},
		"cordoned again by kubectl":          {true, "", true, false},
	} {
		n := node("w1", "linux", corev1.ConditionTrue)
		n.Spec.Unschedulable, n.Annotations = c.cordoned, map[string]string{drain.NoteAnnotation: c.note}
		if err := mayRun(n); (err == nil) != c.run || err != nil && (plan.ClassOf(err) != plan.Broken || plan.HintOf(err) == "") {
			t.Errorf("%s: run: %v", name, err)
		}
		if got := givesBack(n, "a"); got != c.back {
			t.Errorf("%s: given back: %t", name, got)
		}
	}
}

// work is a command without a drain on some hosts, of which some fail.
func work(maxFailures, atOnce int, failing ...string) (*Work, *[]string) {
	var ran []string
	var mu sync.Mutex
	w := &Work{NoDrain: true, AtOnce: atOnce, MaxFailures: maxFailures, Args: []string{"true"}, Limit: time.Minute, watch: plan.Discard}
	for _, name := range []string{"a", "b", "c", "d"} {
		w.Nodes = append(w.Nodes, node(name, "linux", corev1.ConditionTrue))
	}
	w.ask = func(_ context.Context, n *corev1.Node, _ wire.CommandOrder, _ plan.Report) (wire.CommandOutcome, error) {
		mu.Lock()
		ran = append(ran, n.Name)
		mu.Unlock()
		out := wire.CommandOutcome{ID: "x", Output: "hello from " + n.Name}
		if slices.Contains(failing, n.Name) {
			out.Code = 1
		}
		return out, nil
	}
	return w, &ran
}

func TestAFailureStopsTheWavesThatComeAfter(t *testing.T) {
	for name, c := range map[string]struct {
		maxFailures int
		failing     []string
		ran         int
		states      []State
	}{
		"none fails":             {1, nil, 4, []State{Succeeded, Succeeded, Succeeded, Succeeded}},
		"one of the first wave":  {1, []string{"a"}, 2, []State{Failed, Succeeded, NotBegun, NotBegun}},
		"one, and two may fail":  {2, []string{"a"}, 4, []State{Failed, Succeeded, Succeeded, Succeeded}},
		"all, and any may fail":  {0, []string{"a", "b", "c", "d"}, 4, []State{Failed, Failed, Failed, Failed}},
		"one of the second wave": {1, []string{"c"}, 4, []State{Succeeded, Succeeded, Failed, Succeeded}},
	} {
		t.Run(name, func(t *testing.T) {
			w, ran := work(c.maxFailures, 2, c.failing...)
			results := w.run(t.Context())
			var states []State
			for _, r := range results {
				states = append(states, r.State)
				if begun := r.State != NotBegun; begun != (r.ExitCode != nil) || begun != (r.Output == "hello from "+r.Node) {
					t.Errorf("%+v", r)
				}
			}
			if len(*ran) != c.ran || !slices.Equal(states, c.states) {
				t.Errorf("ran on %v, states %v", *ran, states)
			}
		})
	}
}
