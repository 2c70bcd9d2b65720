// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ParseSave reads the output of iptables-save for one family ("ip", "ip6").
//
//	*nat
//	:KUBE-SERVICES - [0:0]
//	[5:300] -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
//	COMMIT
func ParseSave(family, save string) ([]Table, error) {
	var out []Table
	for n, line := range strings.Split(save, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line == "COMMIT":
			continue
		case line[0] == '*':
			out = append(out, Table{Backend: Legacy, Family: family, Name: line[1:]})
			continue
		case len(out) == 0:
			return nil, fmt.Errorf("line %d of iptables-save: %q before any table", n+1, line)
		}
		if err := out[len(out)-1].saved(line); err != nil {
			return nil, fmt.Errorf("line %d of iptables-save: %w", n+1, err)
		}
	}
	return out, nil
}

// saved adds a chain's or a rule's line to a table.
func (t *Table) saved(line string) error {
	if strings.HasPrefix(line, ":") {
		words := strings.Fields(line[1:])
		if len(words) < 2 {
			return fmt.Errorf("not a chain: %q", line)
		}
		c := Chain{Name: words[0], Base: words[1] != "-"}
		if c.Base {
			c.Policy = strings.ToLower(words[1])
		}
		t.Chains = append(t.Chains, c)
		return nil
	}
	if strings.HasPrefix(line, "[") { // counters
		if end := strings.IndexByte(line, ']'); end > 0 {
			line = strings.TrimSpace(line[end+1:])
		}
	}
	words := Words(line)
	if len(words) < 2 || words[0] != "-A" {
		return fmt.Errorf("not a rule: %q", line)
	}
	c := t.Chain(words[1])
	if c == nil {
		return fmt.Errorf("rule in unknown chain: %q", line)
	}
	r := Rule{Text: line}
	for i := 2; i+1 < len(words); i++ {
		switch words[i] {
		case "-j", "-g":
			r.Targets = append(r.Targets, words[i+1])
		case "--comment":
			r.Comments = append(r.Comments, words[i+1])
		}
	}
	c.Rules = append(c.Rules, r)
	return nil
}

// Words splits a line of iptables-save as iptables-restore does: at spaces,
// double quotes hold together, and a backslash takes the next character as it
// is.
func Words(line string) []string {
	var out []string
	var word strings.Builder
	inside, quoted := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
			inside = true
		case c == '"':
			quoted, inside = !quoted, true
		case (c == ' ' || c == '\t') && !quoted:
			if inside {
				out = append(out, word.String())
				word.Reset()
			}
			inside = false
		default:
			word.WriteByte(c)
			inside = true
		}
	}
	if inside {
		out = append(out, word.String())
	}
	return out
}

// Restore is the input of iptables-restore --noflush that makes a legacy
// table's deletions in one transaction. Whole tables do not exist there.
func (d Deletion) Restore() string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%s\n", d.Table.Name)
	for _, chain := range d.Open {
		fmt.Fprintf(&b, ":%s ACCEPT [0:0]\n", chain)
	}
	for _, chain := range slices.Sorted(maps.Keys(d.Rules)) {
		for _, r := range d.Rules[chain] {
			fmt.Fprintf(&b, "-D%s\n", strings.TrimPrefix(r.Text, "-A"))
		}
	}
	for _, chain := range d.Flush {
		fmt.Fprintf(&b, "-F %s\n", chain)
	}
	for _, chain := range d.Chains {
		fmt.Fprintf(&b, "-X %s\n", chain)
	}
	b.WriteString("COMMIT\n")
	return b.String()
}
