// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// quick is a stage of the shell's.
func quick(name, script string, needs ...string) stage {
	return stage{name: name, does: "a test", command: []string{"sh", "-c", script}, needs: needs, warm: time.Minute, cold: time.Minute,
		limit: time.Minute}
}

// play runs stages and returns what was printed, with the verdict.
func play(t *testing.T, ctx context.Context, all ...stage) (results []result, printed string, good bool) {
	t.Helper()
	var out bytes.Buffer
	r := &runner{out: &out, dir: t.TempDir(), grace: 10 * time.Second, beat: time.Hour}
	results, err := r.run(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	good = report(&out, results, time.Second)
	return results, out.String(), good
}

func states(results []result) string {
	var words []string
	for _, one := range results {
		words = append(words, one.name+" "+string(one.state))
	}
	return strings.Join(words, ", ")
}

func TestAStageRunsAfterThoseItNeedsAndBesideTheOthers(t *testing.T) {
	dir := t.TempDir()
	// a and b each wait for what only the other makes.
	meet := func(mine, other string) string {
		return fmt.Sprintf("mkfifo %[1]s/%[2]s; until [ -e %[1]s/%[3]s ]; do sleep 0.01; done; echo I am %[2]s", dir, mine, other)
	}
	results, printed, good := play(t, t.Context(), quick("a", meet("a", "b")), quick("b", meet("b", "a")), quick("c", "ls "+dir, "a", "b"))
	if !good || states(results) != "a ok, b ok, c ok" {
		t.Fatalf("%s\n%s", states(results), printed)
	}
	if at := strings.Index(printed, "######## c: its output\na\nb\n"); at < strings.Index(printed, "I am a") ||
		at < strings.Index(printed, "I am b") {
		t.Errorf("the outputs are not whole, or not in order:\n%s", printed)
	}
}

func TestWhatFailedIsSaidLast(t *testing.T) {
	fails := quick("unit", `echo '=== RUN   TestX'; echo '    x_test.go:7: the reason'; echo '--- FAIL: TestX (0.00s)'; echo noise; exit 3`)
	results, printed, good := play(t, t.Context(), fails, quick("e2e", "true", "unit"), quick("lint", "echo fine"))
	if good || states(results) != "unit FAILED, e2e not run, lint ok" {
		t.Fatalf("%v, %s", good, states(results))
	}
	_, last, _ := strings.Cut(printed, leftOut)
	for _, want := range []string{"unit: FAILED exit code 3", "the reason", "--- FAIL: TestX", "e2e: not run (it needs unit: FAILED)"} {
		if !strings.Contains(last, want) {
			t.Errorf("the end does not say %q:\n%s", want, last)
		}
	}
	if strings.Contains(last, "noise") {
		t.Errorf("the end says more than why it failed:\n%s", last)
	}
}

func TestAHungStageIsNamedAndNothingOfItIsLeft(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	hangs := quick("story-1", fmt.Sprintf("echo '=== RUN   TestCircle/drain'; sh -c 'trap \"\" TERM; echo $$ >%s; while :; do sleep 1; "+
		"done' & wait", pid))
	hangs.limit = 2 * time.Second
	results, printed, good := play(t, t.Context(), hangs)
	if good || states(results) != "story-1 HUNG" || !strings.Contains(printed, "story-1: HUNG") ||
		!strings.Contains(printed, "it was at: TestCircle/drain") {
		t.Fatalf("%v, %s\n%s", good, states(results), printed)
	}
	raw, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	// The kernel takes its time to end it, and init to reap it.
	for deadline := time.Now().Add(time.Minute); ; <-time.After(10 * time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(raw)) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it still runs: %s", stat)
		}
	}
}

// A reader of the last lines sees what came first: the rest may be its consequence.
func TestTheFirstFailureIsTheLastThatIsSaid(t *testing.T) {
	story := quick("story", `echo '=== RUN   TestStory/calm'; echo '    a_test.go:3: | what it tells'; echo '    a_test.go:3: it is well'; echo '=== RUN   TestStory/storm'
echo '    a_test.go:4: $ a command'; echo '    a_test.go:5: the cause'; echo '    of two lines'; echo '=== RUN   TestStory/after'
echo '    a_test.go:6: a consequence'; echo '--- FAIL: TestStory (3.00s)'; echo '    --- PASS: TestStory/calm (1.00s)'
echo '    --- FAIL: TestStory/storm (1.00s)'; echo '    --- FAIL: TestStory/after (1.00s)'; exit 1`)
	_, printed, _ := play(t, t.Context(), story)
	want := "############ story: the first failure\nTestStory/storm\n    a_test.go:5: the cause\n    of two lines\n"
	if !strings.Contains(printed, want) {
		t.Errorf("%q is not in\n%s", want, printed)
	}
	if at := strings.Index(printed, "the first failure"); strings.Contains(printed[at:], "############ ") {
		t.Errorf("more follows:\n%s", printed[at:])
	}
}

func TestAnInterruptionLetsStagesCleanUpAndBeginsNoOther(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	begun := filepath.Join(t.TempDir(), "begun")
	go func() {
		for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			if _, err := os.Stat(begun); err == nil {
				cancel()
			}
		}
	}()
	tidy := quick("bed", fmt.Sprintf("trap 'echo the bed is down; exit 143' TERM; touch %s; while :; do sleep 0.01; done", begun))
	results, printed, good := play(t, ctx, tidy, quick("next", "true", "bed"))
	if good || states(results) != "bed stopped, next not run" || !strings.Contains(printed, "the bed is down") {
		t.Errorf("%v, %s\n%s", good, states(results), printed)
	}
}

func TestARunOverItsBudgetIsToldAndHasNotFailed(t *testing.T) {
	var out bytes.Buffer
	slow := result{stage: quick("unit", "true"), state: passed, took: 2 * time.Minute}
	if !report(&out, []result{slow}, time.Hour) {
		t.Error("a slow machine is no failure")
	}
	if !strings.Contains(out.String(), "OVER THE BUDGET OF TIME: unit, everything") {
		t.Errorf("it is not told:\n%s", out.String())
	}
}

// The stages of "make test" wait for one another without a circle, their commands
// exist, and CONTRIBUTING.md tells people the same budget.
func TestTheStagesAreThoseOfContributing(t *testing.T) {
	page, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	var empty []stage
	for _, s := range stages() {
		program := s.command[0]
		if strings.Contains(program, "/") {
			program = "../../" + program
		}
		if _, err := exec.LookPath(program); err != nil {
			t.Error(err)
		}
		row := fmt.Sprintf("| %s | %s | %d | %d |", s.name, s.does, int(s.warm.Minutes()), int(s.cold.Minutes()))
		if !strings.Contains(string(page), row) {
			t.Errorf("CONTRIBUTING.md does not have the row: %s", row)
		}
		s.command = []string{"true"}
		empty = append(empty, s)
	}
	if row := fmt.Sprintf("| everything |  | %d | %d |", int(wholeWarm.Minutes()),
		int(wholeCold.Minutes())); !strings.Contains(string(page), row) {
		t.Errorf("CONTRIBUTING.md does not have the row: %s", row)
	}
	if results, _, good := play(t, t.Context(), empty...); !good {
		t.Error(states(results))
	}
}

func TestWithoutAClusterTheRestRuns(t *testing.T) {
	var names []string
	for _, s := range chosen(stages(), nil, true) {
		names = append(names, s.name)
	}
	if !slices.Equal(names, []string{"build", "unit", "lint"}) {
		t.Errorf("%v", names)
	}
	if got := chosen(stages(), []string{"unti"}, false); len(got) > 0 {
		t.Errorf("a stage that there is not: %v", got)
	}
}
