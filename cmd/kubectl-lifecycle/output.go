// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
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
// empty or "table", else in the machine format asked for. What a terminal would
// obey is escaped in JSON, which then means the same. The other formats hold
// values as they are in a pipe, and on a terminal without it.
func (e *env) print(format string, result any, human func(*sheet) error) error {
	template, isPath := strings.CutPrefix(format, "jsonpath=")
	switch {
	case format == "" || format == "table":
		return human(e.sheet())
	case format == "json":
		return writeJSON(e.streams.Out, result, "    ")
	case format == "yaml":
		out, err := yaml.Marshal(result)
		if err != nil {
			return fmt.Errorf("print yaml: %w", err)
		}
		if e.terminal(e.streams.Out) {
			out = []byte(text.Visible(string(out)))
		}
		_, err = e.streams.Out.Write(out)
		return err
	case isPath:
		return printPath(e.streams.Out, template, result, e.terminal(e.streams.Out))
	}
	return unknownOutput(format)
}

// writeJSON writes an object that neither a terminal nor a parser trips over;
// without an indent it is one line.
func writeJSON(w io.Writer, object any, indent string) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return fmt.Errorf("print json: %w", err)
	}
	_, err := w.Write(text.JSON(out.Bytes()))
	return err
}

// event writes one object in one line to stdout.
func (e *env) event(object any) error { return writeJSON(e.streams.Out, object, "") }

// binary writes bytes to stdout that nobody reads.
func (e *env) binary(raw []byte) error {
	_, err := e.streams.Out.Write(raw)
	return err
}

// names writes the results of -o name, one in a line.
func (e *env) names(kind string, names ...string) error {
	sheet := e.sheet()
	for _, n := range names {
		sheet.line("%s/%s", kind, nameOf(n))
	}
	return sheet.err
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

func printPath(w io.Writer, template string, result any, terminal bool) error {
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
	if terminal {
		tree = visible(tree)
	}
	if err := path.Execute(w, tree); err != nil {
		return plan.As(plan.Misused, fmt.Errorf("--output: %w", err))
	}
	_, err = fmt.Fprintln(w)
	return err
}

// visible makes each text of a JSON value fit for a terminal.
func visible(value any) any {
	switch v := value.(type) {
	case string:
		return text.Visible(strings.ReplaceAll(v, "\n", " "))
	case []any:
		for i := range v {
			v[i] = visible(v[i])
		}
	case map[string]any:
		shown := make(map[string]any, len(v))
		for key, inner := range v {
			shown[text.Line(key)] = visible(inner)
		}
		return shown
	}
	return value
}

// sheet is where a result for people is written. All that goes onto it passes
// the filter: formats are the program's own, arguments and cells are not. The
// first error stays, and what comes after it is not written.
type sheet struct {
	out io.Writer
	err error
}

func (e *env) sheet() *sheet { return &sheet{out: e.streams.Out} }

// line writes one line.
func (s *sheet) line(format string, args ...any) error {
	if s.err == nil {
		s.err = text.Fprintf(s.out, format+"\n", args...)
	}
	return s.err
}

// command writes a command to be copied as one line: its words are quoted
// already, and it is never cut.
func (s *sheet) command(indent, command string) error {
	return s.line("%s%s", text.Safe(indent), text.Safe(oneLine(command)))
}

// table writes rows in columns; the first row is the header.
func (s *sheet) table(rows [][]string) error {
	if s.err != nil {
		return s.err
	}
	tw := tabwriter.NewWriter(s.out, 0, 8, 3, ' ', 0)
	for _, row := range rows {
		if _, s.err = fmt.Fprintln(tw, text.Join(row, "\t")); s.err != nil {
			return s.err
		}
	}
	s.err = tw.Flush()
	return s.err
}

// oneLine makes a command what can be pasted and obeys nobody.
func oneLine(s string) string { return text.Visible(strings.ReplaceAll(s, "\n", " ")) }

// nameOf is the name of an object where a line begins with it. One that no API
// server would have taken is quoted, so that it cannot pass for more than a name.
func nameOf(s string) string {
	if len(validation.IsDNS1123Subdomain(s)) == 0 {
		return s
	}
	return strconv.Quote(text.Line(s))
}

// say writes a line for people to stderr. Its arguments pass the filter.
func (e *env) say(format string, args ...any) {
	_ = text.Fprintf(e.streams.ErrOut, format+"\n", args...) // where nobody reads, nobody can be told
}

// sayCommand writes a command to be copied to stderr, as sheet.command does.
func (e *env) sayCommand(indent, command string) {
	e.say("%s%s", text.Safe(indent), text.Safe(oneLine(command)))
}

// sayTable writes a table to stderr.
func (e *env) sayTable(rows [][]string) error {
	return (&sheet{out: e.streams.ErrOut}).table(rows)
}

// warn writes a warning to stderr.
func (e *env) warn(format string, args ...any) {
	e.say("Warning: "+format, args...)
}

// tellError writes an error and its way out to stderr. Each line but the first
// is indented: none of an error's own can pass for one of the program's.
func (e *env) tellError(err error) {
	err = explain(err)
	e.say("error: %s", indented(err.Error()))
	if hint := plan.HintOf(err); hint != "" {
		e.say("hint:  %s", indented(hint))
	}
}

func indented(s string) text.Safe {
	return text.Safe(strings.Join(text.Lines(s), "\n       "))
}

// attach gives cobra the streams: what it writes is help, and that is our own.
func (e *env) attach(root *cobra.Command) {
	root.SetIn(e.streams.In)
	root.SetOut(e.streams.Out)
	root.SetErr(e.streams.ErrOut)
}

// log is where the client library logs to: names, addresses and messages of the
// server are in it.
func (e *env) log() io.Writer { return logged{e.streams.ErrOut} }

// logged filters what is written to it, an entry at a time.
type logged struct{ out io.Writer }

// Write writes an entry of the log, of one line or more.
func (l logged) Write(entry []byte) (int, error) {
	if err := text.Fprintf(l.out, "%s\n", string(entry)); err != nil {
		return 0, err
	}
	return len(entry), nil
}

// confirm asks before something that cannot be taken back. Without a terminal
// it is an error of usage: the person has to say --yes.
func (e *env) confirm(question, expect string) error {
	if !e.terminal(e.streams.In) {
		return plan.As(plan.Misused, plan.Hint(errors.New("there is no terminal to ask on"), "add --yes if you are sure"))
	}
	_ = text.Fprintf(e.streams.ErrOut, "%s Type %q to go on: ", text.Line(question), expect)
	line, err := bufio.NewReader(e.streams.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nothingChanged(fmt.Errorf("read the answer: %w", err))
	}
	if strings.TrimSpace(line) != expect {
		return plan.Refuse(errors.New("not confirmed"), "nothing was changed; type %s exactly, or add --yes", expect)
	}
	return nil
}
