// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Sheet is where a result for people is written. All that goes onto it passes
// the filter: formats are the program's own, arguments and cells are not. The
// first error stays, and what comes after it is not written.
type Sheet struct {
	out io.Writer
	// Err is the first error.
	Err error
}

// NewSheet is a sheet on a stream.
func NewSheet(out io.Writer) *Sheet { return &Sheet{out: out} }

// Line writes one line.
func (s *Sheet) Line(format string, args ...any) error {
	if s.Err == nil {
		s.Err = text.Fprintf(s.out, format+"\n", args...)
	}
	return s.Err
}

// Command writes a command to be copied as one line: its words are quoted
// already, and it is never cut.
func (s *Sheet) Command(indent, command string) error {
	return s.Line("%s%s", text.Safe(indent), text.Safe(OneLine(command)))
}

// Page writes a text of several lines as it is laid out, in which what a terminal would
// obey is visible.
func (s *Sheet) Page(page string) error {
	for line := range strings.Lines(page) {
		_ = s.Line("%s", text.Safe(OneLine(strings.TrimRight(line, "\n"))))
	}
	return s.Err
}

// Table writes rows in columns; the first row is the header.
func (s *Sheet) Table(rows [][]string) error {
	if s.Err != nil {
		return s.Err
	}
	tw := tabwriter.NewWriter(s.out, 0, 8, 3, ' ', 0)
	for _, row := range rows {
		if _, s.Err = fmt.Fprintln(tw, text.Join(row, "\t")); s.Err != nil {
			return s.Err
		}
	}
	s.Err = tw.Flush()
	return s.Err
}

// OneLine puts a command on one line, in which what a terminal would obey is visible.
func OneLine(s string) string { return text.Visible(strings.ReplaceAll(s, "\n", " ")) }

// Name is the name of an object where a line begins with it. One that no API
// server would have taken is quoted, so that it cannot pass for more than a name.
func Name(s string) string {
	if len(validation.IsDNS1123Subdomain(s)) == 0 {
		return s
	}
	return strconv.Quote(text.Line(s))
}
