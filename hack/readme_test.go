// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const tool = "kubectl lifecycle"

// TestTheReadmeIsTrue runs every command of the documents with the real plugin
// and without a cluster: it has to understand the words and flags, and to stop
// at the missing kubeconfig, or at the node program that a plain build lacks.
// And every command there is must be in the README.
func TestTheReadmeIsTrue(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "kubectl-lifecycle")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", plugin, "../cmd/kubectl-lifecycle")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	readme := read(t, "../README.md")
	all := ""
	for _, page := range documents(t) {
		all += read(t, page)
	}
	for _, words := range toolCommands(all) {
		t.Run(strings.Join(words, " "), func(t *testing.T) {
			out, code := run(t, plugin, words)
			missing := strings.Contains(out, "no kubeconfig") || strings.Contains(out, "built without the node program") ||
				strings.Contains(out, noHosts)
			if code != 0 && (code != 4 || !missing) {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
	t.Run("every command and flag that is named exists", func(t *testing.T) { namedExists(t, plugin) })
	known, _ := run(t, plugin, []string{"options"})
	for _, words := range allCommands(t, plugin, nil) {
		out, _ := run(t, plugin, append(words, "--help"))
		known += out
		if name := tool + " " + strings.Join(words, " "); !strings.Contains(readme, name) {
			t.Errorf("the README does not show %q", name)
		}
	}
	for _, flag := range flagsNamed(readme) {
		if !regexp.MustCompile(flag + `\b[^-]`).MatchString(known) {
			t.Errorf("the README names the flag %s, and no command has it", flag)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// code are the pieces of a document that are code: lines of fenced blocks, and
// what stands between backquotes.
func code(markdown string) []string {
	var pieces []string
	fenced := false
	for line := range strings.Lines(markdown) {
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
		case fenced:
			pieces = append(pieces, strings.TrimSpace(line))
		default:
			for i, span := range strings.Split(line, "`") {
				if i%2 == 1 {
					pieces = append(pieces, span)
				}
			}
		}
	}
	return pieces
}

// toolCommands finds the arguments of each call of the plugin in a document.
func toolCommands(markdown string) [][]string {
	var calls [][]string
	for _, piece := range code(markdown) {
		for _, rest := range strings.Split(piece, tool)[1:] {
			rest, _, _ = strings.Cut(rest, "#")
			rest, _, _ = strings.Cut(rest, ")")
			rest, _, _ = strings.Cut(rest, " > ")
			rest, _, _ = strings.Cut(rest, " | ")
			calls = append(calls, strings.Fields(rest))
		}
	}
	return calls
}

// flagsNamed finds the flags that a document explains: what is between
// backquotes and begins with two dashes.
func flagsNamed(markdown string) []string {
	var flags []string
	for _, piece := range code(markdown) {
		if flag := regexp.MustCompile(`^--[a-z-]+`).FindString(piece); flag != "" {
			flags = append(flags, flag)
		}
	}
	slices.Sort(flags)
	return slices.Compact(flags)
}

// allCommands walks the help texts for commands that do something themselves.
func allCommands(t *testing.T, plugin string, above []string) [][]string {
	t.Helper()
	help, _ := run(t, plugin, append(slices.Clone(above), "--help"))
	lists := regexp.MustCompile(`(?m)^[A-Z][a-z]+ Commands:\n((?:  .*\n)+)`).FindAllStringSubmatch(help, -1)
	if len(lists) == 0 {
		return [][]string{above}
	}
	var list strings.Builder
	for _, found := range lists {
		list.WriteString(found[1])
	}
	var all [][]string
	if strings.Contains(help, strings.Join(above, " ")+" [flags]\n") && len(above) > 0 {
		all = append(all, above) // it does something by itself, too
	}
	for line := range strings.Lines(list.String()) {
		words := strings.Fields(line)
		if words[0] != "help" && words[0] != "options" {
			all = append(all, allCommands(t, plugin, append(slices.Clone(above), words[0]))...)
		}
	}
	return all
}

// noHosts is what the ssh of this test says: one of a document's hosts may be a real
// machine of the network in which the test runs.
const noHosts = "a test reaches no hosts"

// run runs the plugin where there is no cluster, no host and nobody to ask.
func run(t *testing.T, plugin string, args []string) (out string, code int) {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "ssh"), []byte("#!/bin/sh\necho '"+noHosts+"' >&2\nexit 255\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(plugin, filepath.Join(home, "kubectl-lifecycle")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), plugin, args...)
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "KUBECONFIG=" + filepath.Join(home, "none"), "PATH=" + home + ":" + os.Getenv("PATH")}
	raw, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(raw), cmd.ProcessState.ExitCode()
}

func TestCommandsAreFoundInDocuments(t *testing.T) {
	markdown := "Run `kubectl lifecycle runs abort NODE` or kubectl lifecycle nothing.\n```sh\n" +
		"kubectl lifecycle join -o command | ssh root@x sh\nx \"$(kubectl lifecycle version)\"\nkubectl lifecycle remove x --yes  # a " +
		"remark\n```\n`--yes` is not `-y`\n"
	want := "[[runs abort NODE] [join -o command] [version] [remove x --yes]]"
	if got := toolCommands(markdown); !slices.EqualFunc(got, [][]string{{"runs", "abort", "NODE"}, {"join", "-o", "command"}, {"version"},
		{"remove", "x", "--yes"}}, slices.Equal) {
		t.Errorf("%v, want %s", got, want)
	}
	if got := flagsNamed(markdown); !slices.Equal(got, []string{"--yes"}) {
		t.Errorf("flags %v", got)
	}
}
