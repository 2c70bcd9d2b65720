// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

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
// empty or "table", else in the machine format asked for.
func (e *env) print(format string, result any, human func(*sheet) error) error {
	if format == "" || format == "table" {
		return human(e.sheet())
	}
	out, err := encode(format, result, e.terminal(e.streams.Out))
	if err != nil {
		return err
	}
	_, err = e.streams.Out.Write(out)
	return err
}

// event writes one object in one line to stdout.
func (e *env) event(object any) error {
	out, err := toJSON(object, "")
	if err != nil {
		return err
	}
	_, err = e.streams.Out.Write(out)
	return err
}

// binary writes bytes to stdout that nobody reads.
func (e *env) binary(raw []byte) error {
	_, err := e.streams.Out.Write(raw)
	return err
}

// names writes the results of -o name, one in a line.
func (e *env) names(kind string, names ...string) error {
	sheet := e.sheet()
	for _, n := range names {
		_ = sheet.line("%s/%s", kind, nameOf(n)) // the sheet keeps the error
	}
	return sheet.err
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
func (e *env) sayCommand(command string) { e.say("  %s", text.Safe(oneLine(command))) }

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
	lines := text.Lines(s)
	for i := range lines {
		lines[i] = unmarked(lines[i])
	}
	return text.Safe(strings.Join(lines, "\n       "))
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
