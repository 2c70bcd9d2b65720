// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
)

// usageText is what follows the description of a command: how it is called, examples,
// the commands below it by family, and its own flags. The flags that every command takes
// have a page of their own, as kubectl's have.
const usageText = `Usage:
{{- if and .Command.Runnable .Command.HasParent}}
  {{.Command.UseLine}}
{{- end}}
{{- if .Command.HasAvailableSubCommands}}
  {{.Command.CommandPath}} [command]
{{- end}}
{{- if .Command.HasExample}}

Examples:
{{.Command.Example}}
{{- end}}
{{- range .Families}}

{{.Title}}:
{{- range .Commands}}
  {{rpad .Name .NamePadding}} {{.Short}}
{{- end}}
{{- end}}
{{- if .Flags}}

Flags:
{{.Flags}}
{{- end}}
{{if .Command.HasAvailableSubCommands}}
Use "{{.Command.CommandPath}} [command] --help" for more about a command.
{{- end}}
Use "{{.Command.Root.CommandPath}} options" for the flags that every command takes.
`

// narrowest is how few columns flags are wrapped to.
const narrowest = 60

// helpOf shows the help of a command, in lines that fit the terminal.
func helpOf(e *env.Env) func(*cobra.Command, []string) {
	pad := func(s string, width int) string { return fmt.Sprintf("%-*s", width, s) }
	page := template.Must(template.New("usage").Funcs(template.FuncMap{"rpad": pad}).Parse(usageText))
	return func(cmd *cobra.Command, _ []string) {
		own := cmd.LocalFlags()
		if !cmd.HasParent() {
			own = cmd.LocalNonPersistentFlags()
		}
		var help strings.Builder
		help.WriteString(filled(cmp.Or(cmd.Long, cmd.Short), textWidth(e)) + "\n\n")
		err := page.Execute(&help, map[string]any{
			"Command":  cmd,
			"Families": familiesOf(cmd),
			"Flags":    strings.TrimRight(own.FlagUsagesWrapped(wrapAt(e)), "\n "),
		})
		if err != nil {
			e.Say("error: %v", err)
		}
		_ = e.Sheet().Page(help.String()) // a closed pipe has had enough
	}
}

// wrapAt is the width that flags are wrapped to; 0, which wraps nothing, where the help
// does not go to a terminal.
func wrapAt(e *env.Env) int {
	if columns := e.Columns(); columns > 0 {
		return max(columns, narrowest)
	}
	return 0
}

// mostText is how many columns a text has at most: longer lines are hard to read.
const mostText = 100

// textWidth is the width that descriptions are wrapped to.
func textWidth(e *env.Env) int {
	if columns := e.Columns(); columns > 0 {
		return min(max(columns, narrowest), mostText)
	}
	return 80
}

// filled is a description in lines of some columns: paragraphs, and the items of lists,
// each of which begins with two spaces.
func filled(description string, width int) string {
	number := regexp.MustCompile(`^ {2}\d\. `)
	var out []string
	for _, paragraph := range strings.Split(strings.TrimSpace(description), "\n\n") {
		var items []string
		for line := range strings.Lines(paragraph) {
			if len(items) == 0 || number.MatchString(line) {
				items = append(items, "")
			}
			items[len(items)-1] += line
		}
		for i, item := range items {
			lead := number.FindString(item)
			indent := strings.Repeat(" ", len(lead))
			items[i] = lead + strings.Join(view.Fill(strings.TrimPrefix(item, lead), width-len(lead)), "\n"+indent)
		}
		out = append(out, strings.Join(items, "\n"))
	}
	return strings.Join(out, "\n\n")
}

// familyOf is a title and the commands below it.
type familyOf struct {
	Title    string
	Commands []*cobra.Command
}

// familiesOf groups the commands below one; those of no family come last.
func familiesOf(cmd *cobra.Command) []familyOf {
	var out []familyOf
	for _, group := range append(cmd.Groups(), &cobra.Group{Title: "Available Commands"}) {
		family := familyOf{Title: group.Title}
		for _, sub := range cmd.Commands() {
			if sub.GroupID == group.ID && (sub.IsAvailableCommand() || sub.Name() == "help") {
				family.Commands = append(family.Commands, sub)
			}
		}
		if group.ID == "" && len(out) > 0 {
			family.Title = "Other Commands"
		}
		if len(family.Commands) > 0 {
			out = append(out, family)
		}
	}
	return out
}

// newOptionsCommand shows the flags that every command takes.
func newOptionsCommand(e *env.Env) *cobra.Command {
	show := func(cmd *cobra.Command, _ []string) {
		_ = e.Sheet().Page("Every command takes these flags, after its name:\n\n" + cmd.InheritedFlags().FlagUsagesWrapped(wrapAt(e)))
	}
	cmd := &cobra.Command{
		Use:   "options",
		Short: "List the flags that every command takes",
		Args:  env.UsageArgs(cobra.NoArgs),
		Run:   show,
	}
	cmd.SetHelpFunc(show)
	return cmd
}
