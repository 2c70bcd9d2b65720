// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The words that lines begin with.
const (
	wordTable = "table "
	wordChain = "chain "
	wordRule  = "rule "
)

// Print writes a table line by line, so that a person can read it and nothing of
// it is lost: its chains, with policy, type and hook if they have one, and their
// rules. Legacy rules are as iptables-save has them. Those of nft have their handle,
// targets and comments, and before these how many bytes of expressions and of user
// data follow the line, as the kernel sent them.
//
//	table nft ip nat
//	chain "PREROUTING" accept nat 0800010000000000080002…
//	rule 17 412 0 -> KUBE-SERVICES # "kubernetes service portals"
//	…
//
// The writer's Flush tells of errors.
func (t Table) Print(to *bufio.Writer) {
	_, _ = to.WriteString(wordTable + t.String() + "\n")
	var line []byte
	for _, c := range t.Chains {
		line = strconv.AppendQuote(append(line[:0], wordChain...), c.Name)
		if c.Base {
			line = fmt.Appendf(line, " %s %s %x", cmp.Or(c.Policy, "-"), cmp.Or(c.Type, "-"), c.Hook)
		}
		_, _ = to.Write(append(line, '\n'))
		for _, r := range c.Rules {
			if r.Text != "" {
				_, _ = to.WriteString(r.Text + "\n")
				continue
			}
			line = r.appendTo(line[:0])
			_, _ = to.Write(line)
		}
	}
}

// appendTo appends a rule's line and what follows it.
func (r Rule) appendTo(line []byte) []byte {
	line = strconv.AppendUint(append(line, wordRule...), r.Handle, 10)
	line = strconv.AppendInt(append(line, ' '), int64(len(r.Raw)), 10)
	line = strconv.AppendInt(append(line, ' '), int64(len(r.UserData)), 10)
	for _, target := range r.Targets {
		line = append(append(line, " -> "...), target...)
	}
	for _, comment := range r.Comments {
		line = strconv.AppendQuote(append(line, " # "...), comment)
	}
	line = append(append(append(line, '\n'), r.Raw...), r.UserData...)
	return append(line, '\n')
}

// ReadTables reads what Print has written, to the end. The generations of the
// tables are zero.
func ReadTables(from *bufio.Reader) ([]Table, error) {
	var tables []Table
	for n := 1; ; n++ {
		line, err := from.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			return tables, nil
		}
		if err == nil {
			tables, err = readLine(tables, strings.TrimSuffix(line, "\n"), from)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d of a printed packet filter: %w", n, err)
		}
	}
}

// readLine adds what a line says to the tables before it.
func readLine(tables []Table, line string, from io.Reader) ([]Table, error) {
	if words, is := strings.CutPrefix(line, wordTable); is {
		name := strings.SplitN(words, " ", 3)
		if len(name) != 3 {
			return nil, fmt.Errorf("not a table: %q", line)
		}
		return append(tables, Table{Backend: Backend(name[0]), Family: name[1], Name: name[2]}), nil
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("%q before any table", line)
	}
	t := &tables[len(tables)-1]
	if text, is := strings.CutPrefix(line, wordChain); is {
		c, err := readChain(text)
		t.Chains = append(t.Chains, c)
		return tables, err
	}
	if len(t.Chains) == 0 {
		return nil, fmt.Errorf("%q before any chain", line)
	}
	c := &t.Chains[len(t.Chains)-1]
	if t.Backend == Legacy && !strings.HasPrefix(line, wordRule) { // of one that stays, nothing may be kept
		return tables, t.saved(line)
	}
	r, err := readRule(line, from)
	c.Rules = append(c.Rules, r)
	return tables, err
}

func readChain(text string) (Chain, error) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return Chain{}, fmt.Errorf("not a chain: %q", text)
	}
	name, err := strconv.Unquote(quoted)
	c := Chain{Name: name}
	words := strings.SplitN(strings.TrimPrefix(text[len(quoted):], " "), " ", 3)
	if err != nil || len(words) < 3 {
		return c, err
	}
	unsaid := func(word string) string {
		if word == "-" {
			return ""
		}
		return word
	}
	c.Base, c.Policy, c.Type = true, unsaid(words[0]), unsaid(words[1])
	if words[2] != "" {
		c.Hook, err = hex.DecodeString(words[2])
	}
	return c, err
}

// readRule reads a rule of nft. Its targets and comments are in its expressions.
func readRule(line string, from io.Reader) (Rule, error) {
	var r Rule
	var expressions, data uint16
	if _, err := fmt.Sscanf(line, wordRule+"%d %d %d", &r.Handle, &expressions, &data); err != nil {
		return r, fmt.Errorf("not a rule: %q", line)
	}
	rest := make([]byte, int(expressions)+int(data)+1)
	if _, err := io.ReadFull(from, rest); err != nil {
		return r, fmt.Errorf("%q: %w", line, err)
	}
	if expressions > 0 {
		r.Raw = rest[:expressions:expressions]
	}
	err := r.expressions(r.Raw)
	if data > 0 {
		r.UserData = rest[expressions : len(rest)-1 : len(rest)-1]
		r.userdata(r.UserData)
	}
	return r, err
}
