// SPDX-License-Identifier: Apache-2.0

// Package text makes words that others wrote safe to show and safe to paste.
//
// Node names, annotations, conditions, messages of a kubelet, entries of a
// mount table, values of a chart: all of it is data from outside of this program.
// A terminal would obey the control characters in it, a shell would run it, and
// a line break in it would forge a line of output.
//
//	Line     one line: no control, escape or bidi characters, bounded
//	Spaced   the same with its spaces
//	Block    several lines, the later ones indented, otherwise like Line
//	Quote    one word of a POSIX shell
//	Whole    the same, or nothing if the word would not stay as it is
//	Command  a whole command to paste, each word quoted
//	Sprintf  fmt.Sprintf whose arguments pass through Block
//	Fprintf  the same for a writer: the only way to a terminal
//	JSON     what is JSON, for a terminal and a machine alike
//
// The package imports the standard library only.
package text
