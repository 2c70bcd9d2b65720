// SPDX-License-Identifier: Apache-2.0

package view

import (
	"regexp"
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
		for _, line := range Fill(text.Line(paragraph), pageWidth-len(indent)) {
			_ = p.Line("%s%s", text.Safe(lead), line)
			lead = indent
		}
	}
}

// Fill divides a paragraph into lines of some columns, one at least. A command is not
// divided, even where it is longer.
func Fill(paragraph string, width int) []string {
	lines := []string{""}
	for _, piece := range pieces(paragraph) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = piece
		case len([]rune(*last))+1+len([]rune(piece)) > width:
			lines = append(lines, piece)
		default:
			*last += " " + piece
		}
	}
	return lines
}

// pieces divides a paragraph at its spaces, but leaves a command whole, up to the next sign
// of a sentence: one that is broken cannot be copied.
func pieces(paragraph string) (all []string) {
	command := regexp.MustCompile(`^[('"]?(kubectl|helm|systemctl|lifecycle-node|kubeadm (init|join|reset|upgrade|certs|config|token)) `)
	inside := false
	for words := strings.Fields(paragraph); len(words) > 0; words = words[1:] {
		if inside {
			all[len(all)-1] += " " + words[0]
		} else {
			all = append(all, words[0])
			inside = command.MatchString(strings.Join(words[:min(3, len(words))], " ") + " ")
		}
		inside = inside && strings.TrimRight(words[0], ",;:.)'\"") == words[0]
	}
	return all
}

func choose(first bool, yes, no string) string {
	if first {
		return yes
	}
	return no
}
