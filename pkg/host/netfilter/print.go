// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bufio"
	"encoding/base64"
	"strconv"
)

// Print writes a table line by line, so that a person can read it and nothing of
// it is lost: its chains with policy, type and hook, and their rules, legacy ones
// as iptables-save has them, the others with handle, targets and comments, and, in
// base64, the expressions and the user data that the kernel sent.
//
//	table nft ip nat
//	chain PREROUTING accept nat CAABAAAAAAAIAAIA////nA==
//	rule 17 -> KUBE-SERVICES # "kubernetes service portals" expressions PAABAA… data
//
// The writer's Flush tells of errors.
func (t Table) Print(to *bufio.Writer) {
	line := append(append([]byte("table "), t.String()...), '\n')
	_, _ = to.Write(line)
	for _, c := range t.Chains {
		line = append(append(line[:0], "chain "...), c.Name...)
		for _, word := range []string{c.Policy, c.Type, base64.StdEncoding.EncodeToString(c.Hook)} {
			if word != "" {
				line = append(append(line, ' '), word...)
			}
		}
		_, _ = to.Write(append(line, '\n'))
		for _, r := range c.Rules {
			line = r.appendTo(line[:0])
			_, _ = to.Write(line)
		}
	}
}

// appendTo appends a rule's line.
func (r Rule) appendTo(line []byte) []byte {
	if r.Handle == 0 {
		return append(append(line, r.Text...), '\n')
	}
	line = strconv.AppendUint(append(line, "rule "...), r.Handle, 10)
	for _, target := range r.Targets {
		line = append(append(line, " -> "...), target...)
	}
	for _, comment := range r.Comments {
		line = strconv.AppendQuote(append(line, " # "...), comment)
	}
	line = base64.StdEncoding.AppendEncode(append(line, " expressions "...), r.Raw)
	if len(r.UserData) > 0 {
		line = base64.StdEncoding.AppendEncode(append(line, " data "...), r.UserData)
	}
	return append(line, '\n')
}
