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
	// columns are those of the terminal that it goes to; 0 where it goes to none.
	columns int
	// Err is the first error.
	Err error
}

// NewSheet is a sheet on a stream.
func NewSheet(out io.Writer) *Sheet { return &Sheet{out: out} }

// Within has lines and tables fit a terminal of some columns; 0 leaves them as they are.
func (s *Sheet) Within(columns int) *Sheet {
	s.columns = columns
	return s
}

// Line writes one line, or as many as it takes on a terminal.
func (s *Sheet) Line(format string, args ...any) error {
	return s.whole(Hung(text.Sprintf(format, args...), s.columns))
}

// whole writes a line as it is.
func (s *Sheet) whole(line string) error {
	if s.Err == nil {
		s.Err = text.Fprintf(s.out, "%s\n", text.Safe(line))
	}
	return s.Err
}

// Command writes a command to be copied as one line: its words are quoted
// already, and it is never cut.
func (s *Sheet) Command(indent, command string) error {
	return s.whole(indent + OneLine(command))
}

// Page writes a text of several lines as it is laid out, in which what a terminal would
// obey is visible.
func (s *Sheet) Page(page string) error {
	for line := range strings.Lines(page) {
		_ = s.whole(OneLine(strings.TrimRight(line, "\n")))
	}
	return s.Err
}

// gap is how many columns are between two of a table.
const gap = 3

// Table writes rows in columns; the first row is the header. On a terminal that is too narrow
// for that, cells are divided between their words, and what does not fit beside the others
// goes below them.
func (s *Sheet) Table(rows [][]string) error {
	if s.Err != nil {
		return s.Err
	}
	if fitted, widths := fit(rows, s.columns); fitted != nil {
		for _, row := range fitted {
			_ = s.whole(inColumns(row, widths))
		}
		return s.Err
	}
	tw := tabwriter.NewWriter(s.out, 0, 8, gap, ' ', 0)
	for _, row := range rows {
		if _, s.Err = fmt.Fprintln(tw, text.Join(row, "\t")); s.Err != nil {
			return s.Err
		}
	}
	s.Err = tw.Flush()
	return s.Err
}

// fit makes rows of cells that fit a terminal; none if they do, or never can.
func fit(rows [][]string, columns int) (fitted [][]string, widths []int) {
	most := 0
	for _, row := range rows {
		most = max(most, len(row))
	}
	if widths, _ := measured(rows, most, columns); columns <= 0 || together(widths) <= columns {
		return nil, nil
	}
	for beside := most; beside > 1; beside-- { // the others go below
		below := folded(rows, beside)
		widths, least := measured(below, beside, columns/2)
		if narrowed(widths, least, columns) {
			return divided(below, widths), widths
		}
	}
	return nil, nil
}

// measured are the widths of the columns of a table, and how narrow each can be. A word that
// is longer than most makes none wider: what comes behind it begins another line.
func measured(rows [][]string, columns, most int) (widths, least []int) {
	const readable = 16
	widths, least = make([]int, columns), make([]int, columns)
	for _, row := range rows {
		for i, cell := range row {
			cell = text.Line(cell)
			widths[i] = max(widths[i], width(cell))
			for _, piece := range pieces(cell) {
				least[i] = max(least[i], min(width(piece), most))
			}
		}
	}
	for i := range least {
		least[i] = max(least[i], min(widths[i], readable))
	}
	return widths, least
}

func together(widths []int) int {
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// narrowed makes columns as narrow as they have to be: the last one first, which is of
// sentences, and then those that have the most to give.
func narrowed(widths, least []int, columns int) bool {
	for next := len(widths) - 1; together(widths) > columns; {
		widths[next] -= min(together(widths)-columns, widths[next]-least[next])
		for i := range widths {
			if widths[i]-least[i] > widths[next]-least[next] {
				next = i
			}
		}
		if widths[next] == least[next] {
			break
		}
	}
	return together(widths) <= columns
}

// folded puts the cells of each row behind the first ones below them, from the second column on.
func folded(rows [][]string, beside int) (all [][]string) {
	for _, row := range rows {
		first := row[:min(beside, len(row))]
		all = append(all, first)
		for rest := row[len(first):]; strings.Join(rest, "") != ""; {
			below := rest[:min(beside-1, len(rest))]
			all = append(all, append([]string{""}, below...))
			rest = rest[len(below):]
		}
	}
	return all
}

// divided are rows whose cells are no wider than their columns.
func divided(rows [][]string, widths []int) (all [][]string) {
	for _, row := range rows {
		var lines [][]string
		for i, cell := range row {
			for n, part := range Fill(text.Line(cell), widths[i]) {
				if n == len(lines) {
					lines = append(lines, make([]string, len(row)))
				}
				lines[n][i] = part
			}
		}
		all = append(all, lines...)
	}
	return all
}

// inColumns is one line of a table, or two where a cell is wider than its column.
func inColumns(row []string, widths []int) string {
	var line strings.Builder
	for i, cell := range row {
		over := width(cell) > widths[i] && strings.Join(row[i+1:], "") != ""
		line.WriteString(cell)
		if over {
			line.WriteString("\n" + strings.Repeat(" ", together(widths[:i+1])+gap))
			continue
		}
		line.WriteString(strings.Repeat(" ", max(widths[i]-width(cell), 0)+gap))
	}
	return strings.TrimRight(line.String(), " ")
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
