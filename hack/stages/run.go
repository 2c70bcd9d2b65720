// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// state is how a stage ended.
type state string

const (
	passed  state = "ok"
	failed  state = "FAILED"
	hung    state = "HUNG"
	stopped state = "stopped"
	skipped state = "not run"
)

// result is what is known of a stage that has ended.
type result struct {
	stage
	state state
	took  time.Duration
	// log is the file with its output, why what else is to be said.
	log, why string
}

// runner runs stages. Its fields are what a test replaces.
type runner struct {
	out io.Writer
	// dir is where the outputs go.
	dir string
	// grace is how long a stage that is stopped may take to clean up.
	grace time.Duration
	// beat is how often it says what runs.
	beat time.Duration

	began   time.Time
	mu      sync.Mutex
	running map[string]time.Time
}

// run runs every stage as soon as those before it have ended, and returns the
// results in the order of the stages.
func (r *runner) run(ctx context.Context, all []stage) ([]result, error) {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the directory of the outputs: %w", err)
	}
	r.began, r.running = time.Now(), map[string]time.Time{}
	ended := make(chan result)
	done := map[string]result{}
	waiting := slices.Clone(all)
	tick := time.NewTicker(r.beat)
	defer tick.Stop()
	for len(done) < len(all) {
		waiting = slices.DeleteFunc(waiting, func(s stage) bool {
			if !ready(s, all, done) {
				return false
			}
			if why := missing(s, done); why != "" || ctx.Err() != nil {
				done[s.name] = result{stage: s, state: skipped, why: why}
				r.say("%s: not run %s", s.name, why)
			} else {
				r.begin(ctx, s, ended)
			}
			return true
		})
		if len(r.running) == 0 {
			continue // something was only skipped
		}
		select {
		case one := <-ended:
			delete(r.running, one.name)
			done[one.name] = one
			r.tell(one)
		case <-tick.C:
			r.say("running: %s", r.what())
		}
	}
	var results []result
	for _, s := range all {
		results = append(results, done[s.name])
	}
	return results, nil
}

// ready reports whether all that a stage waits for has ended. A stage that is not
// among those of this run is not waited for.
func ready(s stage, all []stage, done map[string]result) bool {
	for _, name := range slices.Concat(s.needs, s.after) {
		_, ended := done[name]
		if !ended && slices.ContainsFunc(all, func(other stage) bool { return other.name == name }) {
			return false
		}
	}
	return true
}

// missing says what a stage needs and has not got.
func missing(s stage, done map[string]result) string {
	for _, name := range s.needs {
		if one, ended := done[name]; ended && one.state != passed {
			return fmt.Sprintf("(it needs %s: %s)", name, one.state)
		}
	}
	return ""
}

// begin starts a stage in a process group of its own.
func (r *runner) begin(ctx context.Context, s stage, ended chan<- result) {
	r.running[s.name] = time.Now()
	r.say("%s: %s", s.name, s.does)
	go func() {
		begun := time.Now()
		one := r.one(ctx, s)
		one.took = time.Since(begun)
		ended <- one
	}()
}

// one runs a stage to its end.
func (r *runner) one(ctx context.Context, s stage) result {
	one := result{stage: s, state: failed, log: filepath.Join(r.dir, s.name+".log")}
	log, err := os.Create(one.log)
	if err != nil {
		one.why = err.Error()
		return one
	}
	defer func() { _ = log.Close() }()
	limited, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	args := append([]string{"-n", strconv.Itoa(s.nice)}, s.command...)
	cmd := exec.CommandContext(limited, "nice", args...)
	cmd.Stdout, cmd.Stderr = log, log // a file: a process that the stage has left behind is not waited for
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = r.grace
	err = cmd.Run()
	if limited.Err() != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what has not heard
	}
	switch {
	case ctx.Err() != nil:
		one.state, one.why = stopped, "interrupted"
	case limited.Err() != nil:
		one.state, one.why = hung, fmt.Sprintf("not finished after %s, so it was ended; it was at: %s", s.limit, lastWord(one.log))
	case err == nil:
		one.state = passed
	default:
		one.why = err.Error()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			one.why = fmt.Sprintf("exit code %d", exit.ExitCode())
		}
	}
	return one
}

// tell prints the output of a stage that has ended, as one block.
func (r *runner) tell(one result) {
	raw, err := os.ReadFile(one.log)
	if err != nil {
		raw = []byte(err.Error())
	}
	r.mu.Lock()
	_, _ = fmt.Fprintf(r.out, "\n######## %[1]s: its output\n%[2]s\n######## %[1]s: end of its output\n\n",
		one.name, strings.TrimRight(string(raw), "\n"))
	r.mu.Unlock()
	r.say("%s: %s after %s %s", one.name, one.state, short(one.took), one.why)
}

// what names the stages that run, and since when.
func (r *runner) what() string {
	var words []string
	for name, since := range r.running {
		words = append(words, name+" "+short(time.Since(since)))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func (r *runner) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := strings.TrimSpace(fmt.Sprintf(format, args...))
	_, _ = fmt.Fprintf(r.out, "[%7s] %s\n", short(time.Since(r.began)), line)
}

// short is a time for people: 4m05s.
func short(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
