// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// report prints the times against the budget, and last what failed: for a reader
// who sees only the end of the output. It returns whether all is well. A run that is
// over its budget is told loudly, but has not failed: the machine may be a slow one.
func report(w io.Writer, results []result, whole time.Duration) bool {
	out := &strings.Builder{}
	defer func() { _, _ = io.WriteString(w, out.String()) }()
	cold := isCold(results)
	total, temperature := wholeWarm, "warm"
	if cold {
		total, temperature = wholeCold, "cold"
	}
	fmt.Fprintf(out, "\n%-10s %8s %8s   (%s: what is built is %s)\n", "stage", "taken", "budget", temperature,
		map[bool]string{true: "built in this run", false: "there from before"}[cold])
	var over []string
	row := func(name string, taken, budget time.Duration, what state) {
		note := ""
		if what != passed {
			note = string(what)
		} else if taken > budget {
			note = "OVER BUDGET"
			over = append(over, name)
		}
		fmt.Fprintf(out, "%-10s %8s %8s   %s\n", name, short(taken), short(budget), note)
	}
	good := true
	for _, one := range results {
		row(one.name, one.took, budget(one.stage, cold), one.state)
		good = good && one.state == passed
	}
	row("everything", whole, total, passed)
	if len(over) > 0 {
		fmt.Fprintf(out, "\n!!!! OVER THE BUDGET OF TIME: %s. On two quiet cores this is a fault: see CONTRIBUTING.md, \"Time\".\n",
			strings.Join(over, ", "))
	}
	fmt.Fprintf(out, "\n%s\n", leftOut)
	for _, one := range results {
		if one.state != passed {
			fmt.Fprintf(out, "\n############ %s: %s %s\n%s", one.name, one.state, one.why, whatFailed(one.log))
		}
	}
	for _, one := range results {
		if first := firstFailure(one.log); one.state != passed && first != "" {
			fmt.Fprintf(out, "\n############ %s: the first failure\n%s", one.name, first)
		}
	}
	return good
}

func budget(s stage, cold bool) time.Duration {
	if cold {
		return s.cold
	}
	return s.warm
}

// isCold reports whether the test bed had to build Kubernetes.
func isCold(results []result) bool {
	at := slices.IndexFunc(results, func(r result) bool { return r.name == testbedStage })
	if at < 0 {
		return false
	}
	raw, err := os.ReadFile(results[at].log)
	return err == nil && strings.Contains(string(raw), "building kubernetes-servers")
}

const (
	// most lines of a failure are printed, and around one that is not a test's.
	mostLines = 120
	tailLines = 25
	// firstLines of the first failure are printed once more, as the very last: what
	// follows a failure is often its consequence alone.
	firstLines = 12
	// widest is where a line is cut.
	widest = 400
)

// What "go test -v" prints: what a test only tells begins with "$ " or "| ".
const (
	failurePattern = `^\s*(--- FAIL|panic: |FAIL\s)|: FAILED|\.go:\d+:\d+: `
	verdictPattern = `^\s*(=== |--- |FAIL|PASS|ok )`
	messagePattern = `^\s+\w+_test\.go:\d+: `
	toldPattern    = `_test\.go:\d+: [$|] `
)

// firstFailure takes from an output the name of the failed test that was the first to
// complain, and the first lines of its complaint; nothing where no test has. What a test
// that passes tells looks the same. Where the output was cut before any verdict, it is
// the first message of all.
func firstFailure(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	var (
		begun   = regexp.MustCompile(`^=== (RUN|NAME|CONT)\s+(.*)`)
		verdict = regexp.MustCompile(verdictPattern)
		message = regexp.MustCompile(messagePattern)
		told    = regexp.MustCompile(toldPattern)
		text    strings.Builder
		bad     = failedTests(lines)
		blamed  = len(bad) == 0
	)
	for i, line := range lines {
		if match := begun.FindStringSubmatch(line); match != nil {
			text.Reset()
			fmt.Fprintln(&text, match[2])
			blamed = len(bad) == 0 || bad[match[2]]
		}
		if !blamed || !message.MatchString(line) || told.MatchString(line) {
			continue
		}
		for n, said := range lines[i:min(i+firstLines, len(lines))] {
			if n > 0 && verdict.MatchString(said) {
				break
			}
			fmt.Fprintln(&text, said[:min(len(said), widest)])
		}
		return text.String()
	}
	return ""
}

// failedTests are the names in the lines that "go test -v" prints of tests that failed.
func failedTests(lines []string) map[string]bool {
	verdict, bad := regexp.MustCompile(`^\s*--- FAIL: (.*) \([0-9.]+s\)$`), map[string]bool{}
	for _, line := range lines {
		if match := verdict.FindStringSubmatch(line); match != nil {
			bad[match[1]] = true
		}
	}
	return bad
}

// whatFailed takes from an output what says why a test failed: the FAIL lines, and
// the first lines of each message. Where no test has failed it is the end of the output.
func whatFailed(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	var (
		found   []string
		failure = regexp.MustCompile(failurePattern)
		verdict = regexp.MustCompile(verdictPattern)
		message = regexp.MustCompile(messagePattern)
		told    = regexp.MustCompile(toldPattern)
		more    = 0
	)
	for _, line := range lines {
		switch {
		case failure.MatchString(line):
			more = 1
		case verdict.MatchString(line):
			more = 0
		case message.MatchString(line):
			more = 12
			if told.MatchString(line) {
				more = 0
			}
		}
		if more--; more >= 0 {
			found = append(found, line)
		}
	}
	if !slices.ContainsFunc(found, failure.MatchString) {
		found = lines[max(0, len(lines)-tailLines):]
	}
	var text strings.Builder
	for i, line := range found {
		if i == mostLines {
			fmt.Fprintf(&text, "… and %d lines more in %s\n", len(found)-i, path)
			break
		}
		fmt.Fprintln(&text, line[:min(len(line), widest)])
	}
	return text.String()
}

// lastWord is where a stage was: the test that it had begun last, or else its last
// line.
func lastWord(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "nothing that it said"
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	for _, line := range slices.Backward(lines) {
		if name, is := strings.CutPrefix(line, "=== RUN"); is {
			return strings.TrimSpace(name)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}
