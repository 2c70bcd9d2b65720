// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// addOutput adds -o. more names formats beyond json, yaml and jsonpath, for
// the help ("name", "wide").
func addOutput(flags *pflag.FlagSet, into *string, more string) {
	formats := "json, yaml or jsonpath=TEMPLATE"
	if more != "" {
		formats = more + ", " + formats
	}
	flags.StringVarP(into, "output", "o", "", "Output format: "+formats)
}

// print writes a result to stdout: as text by way of human when the format is
// empty or "table", else in the machine format asked for.
func (e *env) print(format string, result any, human func(io.Writer) error) error {
	template, isPath := strings.CutPrefix(format, "jsonpath=")
	switch {
	case format == "" || format == "table":
		return human(e.streams.Out)
	case format == "json":
		enc := json.NewEncoder(e.streams.Out)
		enc.SetIndent("", "    ")
		enc.SetEscapeHTML(false)
		return enc.Encode(result)
	case format == "yaml":
		out, err := yaml.Marshal(result)
		if err != nil {
			return fmt.Errorf("print yaml: %w", err)
		}
		_, err = e.streams.Out.Write(out)
		return err
	case isPath:
		return printPath(e.streams.Out, template, result)
	}
	return unknownOutput(format)
}

// unknownOutput is the error of a format that a command does not have.
func unknownOutput(format string) error {
	return plan.As(plan.Misused, fmt.Errorf("unknown output format %q", format))
}

// checkOutput refuses an unknown format before anything is done; more are the
// command's own formats.
func checkOutput(format string, more ...string) error {
	for _, known := range append([]string{"", "table", "json", "yaml"}, more...) {
		if format == known {
			return nil
		}
	}
	if template, ok := strings.CutPrefix(format, "jsonpath="); ok {
		if err := jsonpath.New("out").Parse(template); err != nil {
			return plan.As(plan.Misused, fmt.Errorf("--output: %w", err))
		}
		return nil
	}
	return unknownOutput(format)
}

func printPath(w io.Writer, template string, result any) error {
	path := jsonpath.New("out").AllowMissingKeys(true)
	if err := path.Parse(template); err != nil {
		return plan.As(plan.Misused, fmt.Errorf("--output: %w", err))
	}
	// Templates use the JSON names, so the value goes through JSON first.
	raw, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("print jsonpath: %w", err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return fmt.Errorf("print jsonpath: %w", err)
	}
	if err := path.Execute(w, tree); err != nil {
		return plan.As(plan.Misused, fmt.Errorf("--output: %w", err))
	}
	_, err = fmt.Fprintln(w)
	return err
}

// table writes rows in columns; the first row is the header.
func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(tw, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return tw.Flush()
}

// say writes a line for people to stderr.
func (e *env) say(format string, args ...any) {
	fmt.Fprintf(e.streams.ErrOut, format+"\n", args...)
}

// warn writes a warning to stderr.
func (e *env) warn(format string, args ...any) {
	e.say("Warning: "+format, args...)
}

// tellError writes an error and its way out to stderr.
func (e *env) tellError(err error) {
	err = explain(err)
	e.say("error: %s", strings.ReplaceAll(err.Error(), "\n", "\n       "))
	if hint := plan.HintOf(err); hint != "" {
		e.say("hint:  %s", strings.ReplaceAll(hint, "\n", "\n       "))
	}
}

// confirm asks before something that cannot be taken back. Without a terminal
// it is an error of usage: the person has to say --yes.
func (e *env) confirm(question, expect string) error {
	if !e.terminal(e.streams.In) {
		return plan.As(plan.Misused, plan.Hint(errors.New("there is no terminal to ask on"), "add --yes if you are sure"))
	}
	fmt.Fprintf(e.streams.ErrOut, "%s Type %q to go on: ", question, expect)
	line, err := bufio.NewReader(e.streams.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nothingChanged(fmt.Errorf("read the answer: %w", err))
	}
	if strings.TrimSpace(line) != expect {
		return plan.Refuse(errors.New("not confirmed"), "nothing was changed; type %s exactly, or add --yes", expect)
	}
	return nil
}
