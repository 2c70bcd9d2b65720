// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
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
func (e *env) print(format string, result any, human func(*view.Sheet) error) error {
	if format == "" || format == "table" {
		return human(e.sheet())
	}
	out, err := view.Encode(format, result, e.terminal(e.streams.Out))
	if err != nil {
		return err
	}
	_, err = e.streams.Out.Write(out)
	return err
}

// event writes one object in one line to stdout.
func (e *env) event(object any) error {
	out, err := view.JSON(object, "")
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
		_ = sheet.Line("%s/%s", kind, view.Name(n)) // the sheet keeps the error
	}
	return sheet.Err
}

// sheet is where a result for people is written.
func (e *env) sheet() *view.Sheet { return view.NewSheet(e.streams.Out) }

// progress makes the observer of a command: one line that changes in place on a
// terminal, plain lines elsewhere.
func (e *env) progress() *view.Progress {
	tty := e.terminal(e.streams.ErrOut)
	_, noColor := os.LookupEnv("NO_COLOR")
	return view.NewProgress(e.streams.ErrOut, tty && os.Getenv("TERM") != "dumb", e.color == "always" ||
		(e.color == "auto" && tty && !noColor))
}

// say writes a line for people to stderr. Its arguments pass the filter.
func (e *env) say(format string, args ...any) {
	_ = text.Fprintf(e.streams.ErrOut, format+"\n", args...) // where nobody reads, nobody can be told
}

// sayCommand writes a command to be copied to stderr, as view.Sheet does.
func (e *env) sayCommand(command string) { e.say("  %s", text.Safe(view.OneLine(command))) }

// sayTable writes a table to stderr.
func (e *env) sayTable(rows [][]string) error {
	return view.NewSheet(e.streams.ErrOut).Table(rows)
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
		lines[i] = view.Unmarked(lines[i])
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
		return plan.As(plan.Misused, plan.Hint(errors.New("cannot ask for confirmation: stdin is not a terminal"), "add --yes if you are sure"))
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
