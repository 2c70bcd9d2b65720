// SPDX-License-Identifier: Apache-2.0

package env

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// narrowest is how few columns lines are divided at.
const narrowest = 60

// Print writes a result to stdout: as text by way of human when the format is
// empty or "table", else in the machine format asked for.
func (e *Env) Print(format string, result any, human func(*view.Sheet) error) error {
	if format == "" || format == "table" {
		return human(e.Sheet())
	}
	out, err := view.Encode(format, result, e.Terminal(e.streams.Out))
	if err != nil {
		return err
	}
	_, err = e.streams.Out.Write(out)
	return err
}

// Event writes one object in one line to stdout.
func (e *Env) Event(object any) error {
	out, err := view.JSON(object, "")
	if err != nil {
		return err
	}
	_, err = e.streams.Out.Write(out)
	return err
}

// Binary writes bytes to stdout that are not text.
func (e *Env) Binary(raw []byte) error {
	_, err := e.streams.Out.Write(raw)
	return err
}

// OutputIsTerminal says whether stdout is one.
func (e *Env) OutputIsTerminal() bool { return e.Terminal(e.streams.Out) }

// Names writes the results of -o name, one in a line.
func (e *Env) Names(kind string, names ...string) error {
	sheet := e.Sheet()
	for _, n := range names {
		_ = sheet.Line("%s/%s", kind, view.Name(n)) // the sheet keeps the error
	}
	return sheet.Err
}

// IDs writes the results of -o name where they are findings, whose ids are this program's own.
func (e *Env) IDs(ids ...string) error {
	sheet := e.Sheet()
	for _, id := range ids {
		_ = sheet.Line("finding/%s", id) // the sheet keeps the error
	}
	return sheet.Err
}

// Columns is how wide the terminal is that the standard output goes to; 0 if it goes to
// none.
func (e *Env) Columns() int { return columnsOf(e.streams.Out) }

func columnsOf(stream any) int {
	f, ok := stream.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// within is how many columns lines have on a stream; 0 where it is no terminal.
func within(stream any) int {
	if columns := columnsOf(stream); columns > 0 {
		return max(columns, narrowest)
	}
	return 0
}

// Sheet is where a result for people is written.
func (e *Env) Sheet() *view.Sheet {
	return view.NewSheet(e.Tool.on(e.streams.Out)).Within(within(e.streams.Out))
}

// ErrSheet is where is written for people what is no result.
func (e *Env) ErrSheet() *view.Sheet {
	return view.NewSheet(e.Tool.on(e.streams.ErrOut)).Within(within(e.streams.ErrOut))
}

// Progress makes the observer of a command: one line that changes in place on a
// terminal, plain lines elsewhere.
func (e *Env) Progress() *view.Progress {
	tty := e.Terminal(e.streams.ErrOut)
	_, noColor := os.LookupEnv("NO_COLOR")
	return view.NewProgress(e.Tool.on(e.streams.ErrOut), tty && os.Getenv("TERM") != "dumb", e.Color == "always" ||
		(e.Color == "auto" && tty && !noColor))
}

// Say writes a line for people to stderr, or as many as it takes on a terminal. Its
// arguments pass the filter.
func (e *Env) Say(format string, args ...any) {
	_ = e.ErrSheet().Line(format, args...) // a stream that is closed has no other to be told on
}

// SayCommand writes a command to be copied to stderr, as view.Sheet does.
func (e *Env) SayCommand(command string) {
	_ = e.ErrSheet().Command("  ", command) // as Say
}

// SayTable writes a table to stderr.
func (e *Env) SayTable(rows [][]string) error {
	return e.ErrSheet().Table(rows)
}

// Warn writes a warning to stderr.
func (e *Env) Warn(format string, args ...any) {
	e.Say("Warning: %s", e.filled([]string{text.Sprintf(format, args...)}, len("Warning: ")))
}

// TellError writes an error and its way out to stderr. Each line but the first
// is indented: none of an error's own can pass for one of the program's.
func (e *Env) TellError(err error) {
	err = Explain(err)
	e.Say("error: %s", e.indented(err.Error()))
	if hint := plan.HintOf(err); hint != "" {
		e.Say("hint:  %s", e.indented(hint))
	}
}

func (e *Env) indented(s string) text.Safe {
	lines := text.Lines(s)
	for i := range lines {
		lines[i] = view.Unmarked(lines[i])
	}
	return e.filled(lines, len("error: "))
}

// filled are lines behind a mark of some columns. On a terminal, those that are too long are
// divided between their words.
func (e *Env) filled(lines []string, mark int) text.Safe {
	if columns := within(e.streams.ErrOut); columns > 0 {
		var out []string
		for _, line := range lines {
			out = append(out, view.Fill(line, columns-mark)...)
		}
		lines = out
	}
	return text.Safe(strings.Join(lines, "\n"+strings.Repeat(" ", mark)))
}

// Attach gives cobra the streams: what it writes is help, and that is our own.
func (e *Env) Attach(root *cobra.Command) {
	root.SetIn(e.streams.In)
	root.SetOut(e.streams.Out)
	root.SetErr(e.streams.ErrOut)
}

// Log is where the client library logs to: names, addresses and messages of the
// server are in it.
func (e *Env) Log() io.Writer { return logged{e.streams.ErrOut} }

// logged filters what is written to it, an entry at a time.
type logged struct{ out io.Writer }

// Write writes an entry of the log, of one line or more.
func (l logged) Write(entry []byte) (int, error) {
	if err := text.Fprintf(l.out, "%s\n", string(entry)); err != nil {
		return 0, err
	}
	return len(entry), nil
}

// Confirm asks before something that cannot be taken back. Without a terminal
// it is an error of usage: the person has to say --yes.
func (e *Env) Confirm(question, expect string) error {
	if !e.Terminal(e.streams.In) {
		return plan.As(plan.Misused, plan.Hint(errors.New("cannot ask for confirmation: stdin is not a terminal"), "add --yes if you are sure"))
	}
	asked := text.Sprintf("%s Type %q to go on: ", text.Line(question), expect)
	_ = text.Fprintf(e.streams.ErrOut, "%s", text.Safe(view.Hung(asked, within(e.streams.ErrOut))))
	line, err := bufio.NewReader(e.streams.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return NothingChanged(fmt.Errorf("read the answer: %w", err))
	}
	if strings.TrimSpace(line) != expect {
		return plan.Refuse(errors.New("not confirmed"), "nothing was changed; type %s exactly, or add --yes", expect)
	}
	return nil
}

// ShowPlan writes what will be done, and what will not, to stderr.
func (e *Env) ShowPlan(p plan.Plan, warnings []string) {
	e.Say("%s:", p.Title)
	for i, s := range p.Steps {
		e.Say("  %d. %s", i+1, s.Title)
	}
	for _, note := range p.Notes {
		e.Say("  · %s", note)
	}
	for _, warning := range warnings {
		e.Warn("%s", warning)
	}
}
