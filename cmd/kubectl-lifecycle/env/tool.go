// SPDX-License-Identifier: Apache-2.0

package env

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Tool is the name by which kubectl calls the plugin: "lifecycle", unless it was installed
// under another one.
type Tool string

// The names that the program answers to. Indexes of plugins want one that says what lives.
const (
	Lifecycle     Tool = "lifecycle"
	NodeLifecycle Tool = "node-lifecycle"
)

// ToolOf is the name in a program's path, and whether it is that of the completer, which
// kubectl calls to ask what can be completed (kubectl 1.26, cmd/util/kubectl_complete).
func ToolOf(path string) (tool Tool, completes bool) {
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	for _, tool := range []Tool{Lifecycle, NodeLifecycle} {
		switch name {
		case tool.Plugin():
			return tool, false
		case tool.Completer():
			return tool, true
		}
	}
	return Lifecycle, false
}

// file is the name in a file's: kubectl finds "node-lifecycle" in kubectl-node_lifecycle.
func (t Tool) file() string { return strings.ReplaceAll(string(t), "-", "_") }

// Plugin is the file that kubectl finds.
func (t Tool) Plugin() string { return "kubectl-" + t.file() }

// Completer is the file by which kubectl asks what can be completed.
func (t Tool) Completer() string { return "kubectl_complete-" + t.file() }

// commandLine is how a person calls the plugin.
func (t Tool) commandLine() string { return text.Command("kubectl", string(t)) }

// Named puts the plugin's name into a text that is written with its first one.
func (t Tool) Named(s string) string {
	return strings.ReplaceAll(s, Lifecycle.commandLine(), t.commandLine())
}

// Name puts the plugin's name into the help of a command and of those below it.
func (t Tool) Name(cmd *cobra.Command) {
	if t == Lifecycle {
		return
	}
	cmd.Short, cmd.Long, cmd.Example = t.Named(cmd.Short), t.Named(cmd.Long), t.Named(cmd.Example)
	for key, value := range cmd.Annotations {
		cmd.Annotations[key] = t.Named(value)
	}
	for _, sub := range cmd.Commands() {
		t.Name(sub)
	}
}

// on is a stream for people on which the plugin is called by its name.
func (t Tool) on(out io.Writer) io.Writer {
	if t == Lifecycle {
		return out
	}
	return renaming{t, out}
}

// renaming puts the plugin's name into what is written: a line or a cell at a time, as
// sheets and messages are.
type renaming struct {
	to  Tool
	out io.Writer
}

// Write writes some text.
func (r renaming) Write(p []byte) (int, error) {
	if _, err := r.out.Write(bytes.ReplaceAll(p, []byte(Lifecycle.commandLine()), []byte(r.to.commandLine()))); err != nil {
		return 0, err
	}
	return len(p), nil
}
