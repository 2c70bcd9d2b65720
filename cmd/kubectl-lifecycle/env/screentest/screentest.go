// SPDX-License-Identifier: Apache-2.0

// Package screentest compares what commands show with golden files: on a terminal of 80
// and of 160 columns, and in a pipe.
//
//	testdata/screens/NAME.80.txt, NAME.160.txt   what a person sees on a terminal
//	testdata/screens/NAME.pipe.txt               stdout and stderr, each by itself
//
// On a terminal, "⏎" ends what the terminal breaks because it is too long, and "⟲" a line
// that the next one replaces in place.
package screentest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Screen is what one command shows.
type Screen struct {
	// Name is that of the golden files.
	Name string
	// Show does what the command does; its error is told as the program tells it.
	Show func(t *testing.T, e *env.Env) error
}

// Compare shows each screen on each kind of output, and compares it with its golden file.
// With update it writes the files instead.
func Compare(t *testing.T, update bool, screens []Screen) {
	t.Helper()
	zone := time.Local
	time.Local = time.UTC // as everywhere
	t.Cleanup(func() { time.Local = zone })
	seen := map[string]bool{}
	for _, s := range screens {
		if seen[s.Name] {
			t.Errorf("two screens are called %s", s.Name)
		}
		seen[s.Name] = true
		t.Run(s.Name, func(t *testing.T) {
			for _, width := range []int{80, 160} {
				if shown, can := onTerminal(t, width, s.Show); can {
					compare(t, update, fmt.Sprintf("%s.%d.txt", s.Name, width), Broken(masked(shown), width))
				}
			}
			compare(t, update, s.Name+".pipe.txt", masked(inPipe(t, s.Show)))
		})
	}
	left, err := filepath.Glob("testdata/screens/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range left {
		if name, _, _ := strings.Cut(filepath.Base(file), "."); !seen[name] {
			t.Errorf("%s is no screen's", file)
		}
	}
}

// inPipe is what two pipes get, and the exit code.
func inPipe(t *testing.T, show func(*testing.T, *env.Env) error) string {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	code := run(t, streams, show)
	return "── stdout\n" + out.String() + "── stderr\n" + errOut.String() + code
}

// run shows a screen on some streams, and returns the line with the exit code.
func run(t *testing.T, streams genericiooptions.IOStreams, show func(*testing.T, *env.Env) error) string {
	t.Helper()
	e := env.New(streams, "dev")
	err := show(t, e)
	code := 0
	if err != nil {
		e.TellError(err)
		code = int(plan.ClassOf(err))
	}
	return fmt.Sprintf("── exit code %d\n", code)
}

// Broken is what was written to a terminal, with marks for what it does: "⏎" where it breaks
// a line that is too long, "⟲" where a line is replaced. Of a picture of several lines, which
// changes as often as it likes, the last one is left.
func Broken(written string, width int) string {
	var kept strings.Builder
	replaced := regexp.MustCompile("\r\x1b\\[K((?:\x1b\\[1A\x1b\\[K)*)")
	for {
		at := replaced.FindStringIndex(written)
		if at == nil {
			break
		}
		before := kept.String() + written[:at[0]]
		if lines := strings.Count(written[at[0]:at[1]], "\x1b[1A"); lines > 0 {
			all := strings.SplitAfter(before, "\n")
			before = strings.Join(all[:max(0, len(all)-1-lines)], "")
		} else {
			before += "⟲\n"
		}
		kept.Reset()
		kept.WriteString(before)
		written = written[at[1]:]
	}
	written = kept.String() + written
	var out strings.Builder
	for line := range strings.Lines(written) {
		text, mark := strings.TrimSuffix(line, "\n"), ""
		if cut, replaced := strings.CutSuffix(text, "⟲"); replaced {
			text, mark = cut, "⟲"
		}
		rest := []rune(text)
		for len(rest) > width {
			out.WriteString(string(rest[:width]) + "⏎\n")
			rest = rest[width:]
		}
		out.WriteString(string(rest) + mark + "\n")
	}
	return out.String()
}

// masked puts the same words in the place of what is not the same everywhere: who calls the
// command, digests of keys, and directories of tests.
func masked(shown string) string {
	shown = strings.ReplaceAll(shown, env.Who(), "ann@laptop")
	shown = regexp.MustCompile("sha256:[0-9a-f]{64}").ReplaceAllString(shown, "sha256:"+strings.Repeat("0123456789abcdef", 4))
	return regexp.MustCompile(regexp.QuoteMeta(os.TempDir())+"/[A-Za-z0-9_]+/[0-9]+/").ReplaceAllString(shown, "/home/ann/")
}

// compare compares a screen with a golden file, or writes that.
func compare(t *testing.T, update bool, name, shown string) {
	t.Helper()
	path := filepath.Join("testdata", "screens", name)
	if update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(shown), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("%v (go test -update writes it)", err)
		return
	}
	if bytes.Equal(golden, []byte(shown)) {
		return
	}
	want, got := strings.Split(string(golden), "\n"), strings.Split(shown, "\n")
	for i := range max(len(want), len(got)) {
		if at(want, i) != at(got, i) {
			t.Errorf("%s, line %d (go test -update writes the file; read what changes)\nis   %q\nwant %q", path, i+1, at(got, i), at(want, i))
			return
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(no such line)"
}
