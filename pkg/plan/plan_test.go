// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// recorder keeps "step kind" lines.
type recorder struct{ lines []string }

func (r *recorder) Observe(e plan.Event) { r.lines = append(r.lines, e.Step+" "+string(e.Kind)) }

func step(id string, log *[]string, err error) plan.Step {
	return plan.Step{
		ID: id, Title: "Do " + id,
		Do:   func(context.Context, plan.Report) error { *log = append(*log, id); return err },
		Undo: func(context.Context) error { *log = append(*log, "undo "+id); return nil },
	}
}

func TestRunDoesTheStepsInOrderAndSkipsWhatIsNotNeeded(t *testing.T) {
	var log []string
	skipped := step("b", &log, nil)
	skipped.Needed = func(context.Context) (bool, error) { return false, nil }
	watch := &recorder{}
	res, err := plan.Plan{Steps: []plan.Step{step("a", &log, nil), skipped, step("c", &log, nil)}}.Run(context.Background(), watch)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "c"}; !slices.Equal(log, want) || !slices.Equal(res.Done, want) {
		t.Errorf("done %v, result %v, want %v", log, res.Done, want)
	}
	if want := []string{"a started", "a done", "b skipped", "c started", "c done"}; !slices.Equal(watch.lines, want) {
		t.Errorf("events %v, want %v", watch.lines, want)
	}
}

func TestRunStopsAtTheFirstErrorAndUndoesInReverse(t *testing.T) {
	var log []string
	boom := errors.New("boom")
	res, err := plan.Plan{Steps: []plan.Step{
		step("a", &log, nil), step("b", &log, nil), step("c", &log, boom), step("d", &log, nil),
	}}.Run(context.Background(), nil)
	if !errors.Is(err, boom) || err.Error() != "do c: boom" {
		t.Errorf("error %q", err)
	}
	if want := []string{"a", "b", "c", "undo b", "undo a"}; !slices.Equal(log, want) {
		t.Errorf("log %v, want %v", log, want)
	}
	if res.Failed != "c" {
		t.Errorf("failed %q", res.Failed)
	}
}

func TestAnUndoThatKeepsThingsIsNeitherAFailureNorToldAsTakenBack(t *testing.T) {
	var log []string
	kept := step("a", &log, nil)
	kept.Undo = func(context.Context) error { return plan.ErrKept }
	watch := &recorder{}
	_, err := plan.Plan{Steps: []plan.Step{kept, step("b", &log, errors.New("boom"))}}.Run(context.Background(), watch)
	if err == nil || err.Error() != "do b: boom" {
		t.Errorf("error %v", err)
	}
	if want := []string{"a started", "a done", "b started", "b failed"}; !slices.Equal(watch.lines, want) {
		t.Errorf("events %v, want %v", watch.lines, want)
	}
}

func TestUndoHasAContextOfItsOwn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	undone := false
	_, err := plan.Plan{Steps: []plan.Step{
		{ID: "a", Do: func(context.Context, plan.Report) error { return nil },
			Undo: func(ctx context.Context) error { undone = true; return ctx.Err() }},
		{ID: "b", Do: func(ctx context.Context, _ plan.Report) error { cancel(); return ctx.Err() }},
	}}.Run(ctx, nil)
	if !undone || plan.ClassOf(err) != plan.Interrupted || strings.Contains(err.Error(), "undo") {
		t.Errorf("undone %v, class %d, error %v", undone, plan.ClassOf(err), err)
	}
}

func TestACancelledPlanDoesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var log []string
	_, err := plan.Plan{Steps: []plan.Step{step("a", &log, nil)}}.Run(ctx, nil)
	if len(log) != 0 || plan.ClassOf(err) != plan.Interrupted {
		t.Errorf("log %v, error %v", log, err)
	}
}

func TestReportsComeAsProgress(t *testing.T) {
	var got plan.Event
	watch := plan.ObserverFunc(func(e plan.Event) {
		if e.Kind == plan.Progress {
			got = e
		}
	})
	_, err := plan.Plan{Title: "T", Steps: []plan.Step{{ID: "a", Do: func(_ context.Context, report plan.Report) error {
		report("%d of %d", 1, 2)
		return nil
	}}}}.Run(context.Background(), watch)
	if err != nil || got.Message != "1 of 2" || got.Plan != "T" || got.Step != "a" || got.Time.IsZero() {
		t.Errorf("event %+v, error %v", got, err)
	}
}

func TestAStepThatItsContextEndsSaysThatAndNotWhatWasUnderWay(t *testing.T) {
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer stop()
	again := "run the same command again to go on from there"
	cases := map[string]struct {
		ctx   context.Context //nolint:containedctx // a table of contexts
		err   error
		says  string
		class plan.Class
		hint  string
	}{
		"a refused stream, interrupted": {
			interrupted, plan.Refuse(fmt.Errorf("attach: %w", context.Canceled), "is port 10250 open?"), "interrupted", plan.Interrupted, again,
		},
		"a stream that kept only the words": {
			interrupted, plan.Hint(errors.New("dial: context canceled"), "is it up?"), "interrupted", plan.Interrupted, again,
		},
		"a request after the deadline": {
			late, plan.Hint(fmt.Errorf("post: %w", context.DeadlineExceeded), "is the API server reachable?"),
			"timed out", plan.TimedOut, again + ", with a longer --timeout if it takes that long",
		},
		"an error that says itself that it was stopped": {
			interrupted, plan.As(plan.Interrupted, plan.Hint(errors.New("no longer watched"),
				"follow it")), "no longer watched", plan.Interrupted, "follow it",
		},
		"another cause at the same moment": {interrupted, plan.Refuse(errors.New("disk full"), "make room"), "disk full",
			plan.Refused, "make room"},
		"a limit of its own, nobody stopped it": {
			t.Context(), plan.Hint(fmt.Errorf("wait: %w", context.DeadlineExceeded),
				"is it up?"), "wait: context deadline exceeded", plan.TimedOut, "is it up?",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := plan.Stopped(c.ctx, c.err)
			if err.Error() != c.says || plan.ClassOf(err) != c.class || plan.HintOf(err) != c.hint {
				t.Errorf("%q of class %d, hint %q", err, plan.ClassOf(err), plan.HintOf(err))
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	run := plan.Plan{Steps: []plan.Step{{ID: "a", Title: "Start it", Do: func(ctx context.Context, _ plan.Report) error {
		cancel()
		return plan.Refuse(fmt.Errorf("attach: %w", ctx.Err()), "is port 10250 open?")
	}}}}
	if _, err := run.Run(ctx, nil); err.Error() != "start it: interrupted" || plan.ClassOf(err) != plan.Interrupted {
		t.Errorf("the step's error is %q of class %d", err, plan.ClassOf(err))
	}
	if plan.Stopped(interrupted, nil) != nil {
		t.Error("no error became one")
	}
}

func TestTheClassAndTheHintOfAnErrorAreFoundThroughWrapping(t *testing.T) {
	refusal := plan.Refuse(errors.New("it is blocked"), "use %s", "--force")
	cases := map[string]struct {
		err   error
		class plan.Class
		hint  string
	}{
		"no error":                              {nil, 0, ""},
		"a plain error":                         {errors.New("x"), plan.Broken, ""},
		"a refusal, wrapped":                    {fmt.Errorf("drain: %w", refusal), plan.Refused, "use --force"},
		"a refusal, joined with another":        {errors.Join(errors.New("x"), refusal), plan.Refused, "use --force"},
		"an outer class wins":                   {plan.As(plan.Misused, refusal), plan.Misused, "use --force"},
		"an outer hint wins":                    {plan.Hint(refusal, "better"), plan.Refused, "better"},
		"a deadline":                            {fmt.Errorf("wait: %w", context.DeadlineExceeded), plan.TimedOut, ""},
		"a cancelled context":                   {fmt.Errorf("wait: %w", context.Canceled), plan.Interrupted, ""},
		"a hint of nothing is no error":         {plan.Hint(nil, "x"), 0, ""},
		"a class of nothing is no error":        {plan.As(plan.Refused, nil), 0, ""},
		"a refusal after changes began":         {plan.Begun(refusal), plan.Broken, "use --force"},
		"a time-out after changes began":        {plan.Begun(fmt.Errorf("read node: %w", context.DeadlineExceeded)), plan.TimedOut, ""},
		"an interruption after changes began":   {plan.Begun(context.Canceled), plan.Interrupted, ""},
		"nothing after changes began":           {plan.Begun(nil), 0, ""},
		"a refusal of an interrupted operation": {plan.Refuse(context.Canceled, "again"), plan.Refused, "again"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := plan.ClassOf(c.err); got != c.class {
				t.Errorf("class %d, want %d", got, c.class)
			}
			if got := plan.HintOf(c.err); got != c.hint {
				t.Errorf("hint %q, want %q", got, c.hint)
			}
		})
	}
}
