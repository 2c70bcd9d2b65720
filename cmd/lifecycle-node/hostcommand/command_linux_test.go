// SPDX-License-Identifier: Apache-2.0

package hostcommand

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

const id = "0123456789abcdef"

func order(limit time.Duration, args ...string) wire.CommandOrder {
	return wire.CommandOrder{ID: id, Args: args, Limit: limit}
}

// bed is a host whose unit is a goroutine.
func bed(t *testing.T, lock func() (func(), error)) site {
	t.Helper()
	var working atomic.Bool
	s := site{dir: filepath.Join(t.TempDir(), "command"), within: time.Minute}
	s.running = func(context.Context) (bool, error) { return working.Load(), nil }
	done := make(chan error, 10)
	begun := 0
	s.begin = func(ctx context.Context) error {
		working.Store(true)
		begun++
		go func() {
			defer working.Store(false)
			done <- s.work(context.WithoutCancel(ctx), lock, time.Minute)
		}()
		return nil
	}
	t.Cleanup(func() {
		for ended := 0; ended < begun; {
			select {
			case err := <-done:
				if ended++; err != nil {
					t.Error(err)
				}
			case <-time.After(time.Millisecond):
				if out, err := s.read(resultFile); err == nil { // as the asker does
					_ = s.forget(context.WithoutCancel(t.Context()), out.ID)
				}
			}
		}
		if _, err := os.Lstat(s.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left behind: %v", s.dir, err)
		}
	})
	return s
}

func free() (func(), error) { return func() {}, nil }

func TestWhatBecomesOfACommand(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		limit  time.Duration
		want   wire.CommandOutcome
		prints string
	}{
		"it succeeds":          {[]string{"echo", "a b", "c"}, time.Minute, wire.CommandOutcome{}, "a b c\n"},
		"it prints on both":    {[]string{"sh", "-c", "echo out; echo err >&2"}, time.Minute, wire.CommandOutcome{}, "out\nerr\n"},
		"it fails":             {[]string{"sh", "-c", "exit 3"}, time.Minute, wire.CommandOutcome{Code: 3}, ""},
		"it is killed":         {[]string{"sh", "-c", "kill -9 $$"}, time.Minute, wire.CommandOutcome{Code: 137, Signal: "SIGKILL"}, ""},
		"there is no such one": {[]string{"/no/such"}, time.Minute, wire.CommandOutcome{Error: "no such file"}, ""},
		"it takes too long": {[]string{"sleep", "60"}, 50 * time.Millisecond,
			wire.CommandOutcome{Code: 143, Signal: "SIGTERM", TimedOut: true}, ""},
		"no shell reads it":       {[]string{"echo", "$HOME;x"}, time.Minute, wire.CommandOutcome{}, "$HOME;x\n"},
		"bytes that are no text":  {[]string{"printf", `\377\n`}, time.Minute, wire.CommandOutcome{}, "\uFFFD\n"},
		"nothing is on its input": {[]string{"cat"}, time.Minute, wire.CommandOutcome{}, ""},
		"an image's environment":  {[]string{"sh", "-c", "echo $LD_PRELOAD$SECRET$HOME"}, time.Minute, wire.CommandOutcome{}, "/root\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SECRET", "leaked")
			out, err := bed(t, free).answer(t.Context(), order(c.limit, c.args...))
			if err != nil || out.ID != id || out.Code != c.want.Code || out.Signal != c.want.Signal || out.TimedOut != c.want.TimedOut ||
				out.Output != c.prints || (out.Error == "") != (c.want.Error == "") || !strings.Contains(out.Error, c.want.Error) {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
}

func TestAFloodOfOutputKeepsItsEnds(t *testing.T) {
	out, err := bed(t, free).answer(t.Context(), order(time.Minute, "sh", "-c", "echo first; yes | head -c 9000000; echo last"))
	if err != nil || len(out.Output) > mostOfOutput+100 || out.Cut < 8_000_000 ||
		!strings.HasPrefix(out.Output, "first\n") || !strings.HasSuffix(out.Output, "last\n") || !strings.Contains(out.Output, "left out here") {
		t.Errorf("%d bytes, cut %d, %v", len(out.Output), out.Cut, err)
	}
}

// A connection that ends does not end the command, and none that breaks under the outcome loses
// it: it is there until the asker says that it has arrived.
func TestAnOutcomeStaysUntilItHasArrived(t *testing.T) {
	s := bed(t, free)
	file := filepath.Join(t.TempDir(), "go")
	ctx, cancel := context.WithCancel(t.Context())
	s.within = 0
	out, err := s.answer(ctx, order(time.Minute, "sh", "-c", "until [ -e "+file+" ]; do sleep 0.01; done; echo done"))
	cancel()
	if err != nil || !out.Running {
		t.Fatalf("%+v, %v", out, err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.within = time.Minute
	for range 2 {
		if out, err = s.answer(t.Context(), wire.CommandOrder{ID: id}); err != nil || out.Output != "done\n" {
			t.Errorf("%+v, %v", out, err)
		}
	}
	if _, err := s.answer(t.Context(), wire.CommandOrder{ID: "fedcba9876543210", Forget: true}); err != nil {
		t.Errorf("another's: %v", err)
	}
	if out, err = s.answer(t.Context(), wire.CommandOrder{ID: id}); err != nil || out.Output != "done\n" {
		t.Errorf("after another was forgotten: %+v, %v", out, err)
	}
	for range 2 {
		if _, err = s.answer(t.Context(), wire.CommandOrder{ID: id, Forget: true}); err != nil {
			t.Error(err)
		}
	}
	if out, err = s.answer(t.Context(), wire.CommandOrder{ID: id}); err != nil || !out.Unknown {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestASecondCommandIsRefusedWhileOneRuns(t *testing.T) {
	s := bed(t, free)
	file := filepath.Join(t.TempDir(), "go")
	s.within = 0
	first := order(time.Minute, "sh", "-c", "until [ -e "+file+" ]; do sleep 0.01; done")
	if out, err := s.answer(t.Context(), first); err != nil || !out.Running {
		t.Fatalf("%+v, %v", out, err)
	}
	other := wire.CommandOrder{ID: "fedcba9876543210", Args: []string{"true"}, Limit: time.Minute}
	if _, err := s.answer(t.Context(), other); plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.within = time.Minute
	if out, err := s.answer(t.Context(), wire.CommandOrder{ID: id}); err != nil || out.Running {
		t.Errorf("%+v, %v", out, err)
	}
}

// An outcome that was not fetched does not keep the next command from running.
func TestAnOutcomeThatWasNotFetchedGoes(t *testing.T) {
	s := bed(t, free)
	s.within = 0
	for {
		out, err := s.answer(t.Context(), order(time.Minute, "true"))
		if err != nil {
			t.Fatal(err)
		}
		if out.Running {
			break
		}
	}
	for {
		if _, err := os.Lstat(s.in(resultFile)); err == nil {
			break
		}
	}
	s.within = time.Minute
	other := wire.CommandOrder{ID: "fedcba9876543210", Args: []string{"echo", "second"}, Limit: time.Minute}
	if out, err := s.answer(t.Context(), other); err != nil || out.Output != "second\n" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestAHostThatSomethingElseChangesRunsNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ran")
	s := bed(t, func() (func(), error) { return nil, errors.New("a run works on this host") })
	out, err := s.answer(t.Context(), order(time.Minute, "touch", file))
	if _, ran := os.Lstat(file); err != nil || out.Error != "a run works on this host" || ran == nil {
		t.Errorf("%+v, %v, ran: %v", out, err, ran)
	}
}

func TestAnOrderThatIsNoneIsNotObeyed(t *testing.T) {
	for name, o := range map[string]wire.CommandOrder{
		"no id":           {Args: []string{"true"}, Limit: time.Second},
		"a path as an id": {ID: "../../../etc/passwd", Args: []string{"true"}, Limit: time.Second},
		"no limit":        {ID: id, Args: []string{"true"}},
		"no program":      {ID: id, Args: []string{""}, Limit: time.Second},
	} {
		if _, err := bed(t, free).answer(t.Context(), o); err == nil {
			t.Errorf("%s: obeyed", name)
		}
	}
}

// systemd cannot be asked while it starts itself again: that is no word of the command's.
func TestAUnitThatCannotBeAskedAboutIsAskedAgain(t *testing.T) {
	s := bed(t, free)
	asked, running := 0, s.running
	s.running = func(ctx context.Context) (bool, error) {
		if asked++; asked > 1 && asked < 5 {
			return false, errors.New("Failed to connect to bus")
		}
		return running(ctx)
	}
	if out, err := s.answer(t.Context(), order(time.Minute, "sh", "-c", "sleep 0.5; echo done")); err != nil || out.Output != "done\n" {
		t.Errorf("%+v, %v", out, err)
	}
}

// A start that fails says so only where nothing runs.
func TestAStartThatPerhapsSucceededIsAskedAbout(t *testing.T) {
	s := bed(t, free)
	begin := s.begin
	s.begin = func(ctx context.Context) error { return errors.Join(begin(ctx), errors.New("timed out")) }
	if out, err := s.answer(t.Context(), order(time.Minute, "sh", "-c", "sleep 0.2; echo done")); err != nil || out.Output != "done\n" {
		t.Errorf("%+v, %v", out, err)
	}
	s.begin = func(context.Context) error { return errors.New("no such program") }
	if out, err := s.answer(t.Context(), order(time.Minute, "true")); err == nil {
		t.Errorf("%+v", out)
	}
}

// Of two commands that begin at once one runs, and the other is refused.
func TestOfTwoThatBeginAtOnceOneIsRefused(t *testing.T) {
	s := bed(t, free)
	if err := s.make(order(time.Minute, "true")); err != nil {
		t.Fatal(err)
	}
	if err := s.make(order(time.Minute, "false")); plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(s.dir, old, old); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.make(order(time.Minute, "true")), s.remove()); err != nil {
		t.Errorf("what a unit has left that was ended: %v", err)
	}
}
