// SPDX-License-Identifier: Apache-2.0

package view

import (
	"regexp"
	"strings"
	"unicode/utf8"

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
func Fill(paragraph string, columns int) []string {
	lines := []string{""}
	for _, piece := range pieces(paragraph) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = piece
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(piece) > columns:
			lines = append(lines, piece)
		default:
			*last += " " + piece
		}
	}
	return lines
}

// pieces divides a paragraph at its spaces, but leaves a command whole.
func pieces(paragraph string) (all []string) {
	for _, at := range spans(paragraph) {
		all = append(all, strings.Join(strings.Fields(paragraph[at.from:at.to]), " "))
	}
	return all
}

// span is where a piece of a line is, in bytes.
type span struct{ from, to int }

// spans are the words of a line; a command is one, up to the next sign of a sentence: one that
// is broken cannot be copied.
func spans(line string) (all []span) {
	command := regexp.MustCompile(`^[('"]?(kubectl|helm|systemctl|lifecycle-node|kubeadm (init|join|reset|upgrade|certs|config|token)) `)
	words := regexp.MustCompile(`\S+`).FindAllStringIndex(line, -1)
	inside := false
	for i, at := range words {
		word := line[at[0]:at[1]]
		if inside && !strings.HasPrefix(word, "(") {
			all[len(all)-1].to = at[1]
		} else {
			all = append(all, span{at[0], at[1]})
			until := words[min(i+2, len(words)-1)][1]
			inside = command.MatchString(strings.Join(strings.Fields(line[at[0]:until]), " ") + " ")
		}
		inside = inside && strings.TrimRight(word, ",;:.)'\"") == word
	}
	return all
}

// Hung are lines that are no longer than a terminal's columns, zero of which divide nothing:
// they are divided between their words, and what follows is indented as what stands behind
// the mark of its line.
func Hung(lines string, columns int) string {
	if columns <= 0 {
		return lines
	}
	all := strings.Split(lines, "\n")
	for i, line := range all {
		all[i] = hung(line, columns)
	}
	return strings.Join(all, "\n")
}

// aside is how far a line is indented that goes on below the words of another.
const aside = 8

func hung(line string, columns int) string {
	if width(line) <= columns {
		return line
	}
	mark := regexp.MustCompile(`^ *(\x1b\[\d+m)?([-·✓✗↺…] +|\d+\. +)?`).FindString(line)
	indent := width(mark)
	columned := regexp.MustCompile(`^.*\S {2,}`).FindString(line)
	switch {
	case width(columned) > indent && width(columned) <= columns*3/5:
		indent = width(columned)
	case strings.TrimSpace(mark) == "" && indent < aside:
		indent += 2
	}
	var out strings.Builder
	begin, end, room := 0, 0, columns
	for _, piece := range spans(line) {
		if end > len(mark) && width(line[begin:piece.to]) > room {
			out.WriteString(line[begin:end] + "\n" + strings.Repeat(" ", indent))
			begin, room = piece.from, columns-indent
		}
		end = piece.to
	}
	return out.String() + line[begin:]
}

// width is how many columns a text takes, which may have codes of colours.
func width(s string) int {
	return utf8.RuneCountInString(regexp.MustCompile(`\x1b\[\d*m`).ReplaceAllString(s, ""))
}

func choose(first bool, yes, no string) string {
	if first {
		return yes
	}
	return no
}
