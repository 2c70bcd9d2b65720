// SPDX-License-Identifier: Apache-2.0

package view

import (
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// pageWidth is how many columns a page has.
const pageWidth = 80

// page is a sheet of sections that fits a terminal of pageWidth columns.
type page struct{ *Sheet }

func (p *page) section(title string) { _ = p.Line("%s", title) } // the sheet keeps the error

// item writes paragraphs behind a mark of some columns, in lines that are
// indented as much. A line break in a paragraph makes no other one.
func (p *page) item(mark string, paragraphs ...string) {
	indent, lead := strings.Repeat(" ", len(mark)), mark
	for _, paragraph := range paragraphs {
		line := ""
		for _, word := range strings.Fields(text.Line(paragraph)) {
			if line != "" && len(indent)+len([]rune(line))+1+len([]rune(word)) > pageWidth {
				_ = p.Line("%s%s", text.Safe(lead), line)
				line, lead = "", indent
			}
			line += strings.TrimPrefix(" "+word, choose(line == "", " ", ""))
		}
		_ = p.Line("%s%s", text.Safe(lead), line)
		lead = indent
	}
}

func choose(first bool, yes, no string) string {
	if first {
		return yes
	}
	return no
}
