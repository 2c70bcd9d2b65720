// SPDX-License-Identifier: Apache-2.0

package completion

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
)

// source says what can stand at a place: words that may have a description behind a
// tab.
type source func(*env.Env) []string

// place is what can stand after a command.
type place struct {
	words source
	// most is how many arguments there can be; 0 is no limit.
	most int
}

// arguments are the places after commands, by the command's path below the root.
func arguments() map[string]place {
	return map[string]place{
		"drain": {words: nodes}, "cordon": {words: nodes}, "uncordon": {words: nodes}, "remove": {words: nodes},
		"inspect": {nodes, 1}, "move": {workers, 1}, "cni test": {words: nodes},
		"certs recover-kubelet": {nodes, 1},
		"runs follow":           {runs, 1}, "runs abort": {runs, 1}, "join revoke": {words: tokens},
		"cni install": {networks, 1}, "cni uninstall": {networks, 1}, "cni values": {networks, 1}, "cni images": {networks, 1},
		"cni versions": {networks, 1},
	}
}

// flags are what can be the value of a flag of some name, whatever its command.
func flags() map[string]source {
	return map[string]source{
		"arch":       words("amd64", "arm64"),
		"color":      words("auto", "always", "never"),
		"context":    contexts,
		"dry-run":    words("none", "client", "server"),
		"firewall":   words("owned", "none", "flush"),
		"surge":      words("off", "auto", "restart"),
		"to-context": contexts,
	}
}

// words is the source of some words.
func words(all ...string) source { return func(*env.Env) []string { return all } }

// networks are those that can be installed.
func networks(*env.Env) []string { return catalogue.Names() }

// contexts are those of the person's kubeconfig, in the order of their names.
func contexts(e *env.Env) []string {
	config, err := e.Flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil
	}
	var out []string
	for name := range config.Contexts {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Attach gives every command below root what a shell completes after it. Commands that
// say so themselves are left as they are.
func Attach(root *cobra.Command, e *env.Env) {
	after, values := arguments(), flags()
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), root.CommandPath()+" ")
		if p, known := after[path]; known && cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = argumentsOf(e, p)
		} else if cmd.ValidArgsFunction == nil && cmd.Runnable() && !cmd.HasSubCommands() {
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			of, known := values[flag.Name]
			if flag.Name == "output" {
				of, known = words(formats(flag.Usage)...), true
			}
			if !known {
				return
			}
			// An error says that the command has set its own.
			_ = cmd.RegisterFlagCompletionFunc(flag.Name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return of(e), cobra.ShellCompDirectiveNoFileComp
			})
		})
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// formats are those that the help of --output lists.
func formats(usage string) []string {
	var out []string
	for _, format := range []string{"table", "wide", "name", "json", "jsonl", "yaml", "kyaml"} {
		if slices.Contains(strings.FieldsFunc(usage, func(r rune) bool { return r == ' ' || r == ',' }), format) {
			out = append(out, format)
		}
	}
	for _, template := range []string{"jsonpath=", "go-template=", "custom-columns="} {
		if strings.Contains(usage, template) {
			out = append(out, template)
		}
	}
	return out
}

// argumentsOf completes the next argument with what is not there yet.
func argumentsOf(e *env.Env, p place) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		if p.most > 0 && len(args) >= p.most {
			return nil, directive
		}
		return slices.DeleteFunc(slices.Clone(p.words(e)), func(word string) bool {
			name, _, _ := strings.Cut(word, "\t")
			return slices.Contains(args, name)
		}), directive
	}
}
