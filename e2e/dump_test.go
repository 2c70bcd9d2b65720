// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

//go:embed dump.sh
var dumpScript string

// dump is a host's state: section, a space, and one thing, a line each. Lines
// of packet-filter rules keep their order, and name their table and chain.
type dump []string

// noise is what differs between two looks at an unchanged host.
func noise() []struct {
	section string
	pattern *regexp.Regexp
	with    string
} {
	type rule = struct {
		section string
		pattern *regexp.Regexp
		with    string
	}
	re := regexp.MustCompile
	return []rule{
		{"links", re(`^\d+: `), ""},                 // interface index
		{"links", re(`@if\d+`), "@peer"},            // index of the peer outside
		{"links", re(`link-netnsid \d+`), ""},       // number of the peer's namespace
		{"links", re(`qlen 1000`), ""},              // what the kernel gives a link without a queue when a filter comes
		{"links", re(`\S*timer +[\d.]+`), ""},       // bridges count
		{"links", re(`\\\s+|\s{2,}`), " "},          // ip's own line breaks
		{"addresses", re(`^\d+: `), ""},             // interface index
		{"addresses", re(`\\.*`), ""},               // lifetimes
		{"routes", re(`expires \d+sec`), ""},        // lifetimes
		{"queues", re(` refcnt \d+`), ""},           // users of the link
		{"tables-", re(`^#.*`), ""},                 // version and date
		{"tables-", re(` \[\d+:\d+\]`), ""},         // counters
		{"nft", re(`packets \d+ bytes \d+`), ""},    // counters
		{"nft", re(`^#.*`), ""},                     // remarks
		{"mounts", re(`^\d+ \d+ \d+:\d+ `), ""},     // ids and device
		{"mounts", re(`(shared|master):\d+`), "$1"}, // peer group numbers
		{"mounts", re(`pipe_ino=\d+`), ""},
		{"units", re(`\s+`), " "},
		{"unit-files", re(`\s+`), " "},
	}
}

// look reads the state of a host.
func (b *bed) look(t *testing.T, host string) dump {
	t.Helper()
	return parseDump(b.host(t, host, dumpScript))
}

// parseDump makes lines that can be compared out of what dump.sh prints.
func parseDump(text string) dump {
	var out dump
	section, context := "", ""
	rules := noise()
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "@@ "); ok {
			section, context = name, ""
			continue
		}
		for _, r := range rules {
			if strings.Contains(section, r.section) {
				line = r.pattern.ReplaceAllString(line, r.with)
			}
		}
		switch {
		case strings.Contains(section, "tables-"):
			line, context = inTable(line, context)
		case section == "nft":
			line, context = inChain(line, context)
		case section == "units":
			line = unitState(line)
		}
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, section+" "+line)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		if a, b := sortKey(a), sortKey(b); a != b {
			return strings.Compare(a, b)
		}
		return 0
	})
	return out
}

// sortKey sorts everything but packet-filter rules, whose order counts.
func sortKey(line string) string {
	section, _, _ := strings.Cut(line, " ")
	if strings.Contains(section, "tables-") || section == "nft" {
		return section
	}
	return line
}

// inTable puts the table before each line of iptables-save.
func inTable(line, table string) (string, string) {
	switch {
	case strings.HasPrefix(line, "*"):
		return "", line
	case line == "COMMIT" || line == "":
		return "", table
	}
	return table + " " + line, table
}

// inChain puts table and chain before each line of nft's ruleset.
func inChain(line, context string) (string, string) {
	text := strings.TrimSpace(line)
	outer, _, _ := strings.Cut(context, " / ")
	switch {
	case text == "}":
		if strings.Contains(context, " / ") {
			return "", outer
		}
		return "", ""
	case strings.HasPrefix(text, "table ") && strings.HasSuffix(text, "{"):
		return text, strings.TrimSuffix(text, " {")
	case strings.HasSuffix(text, "{") && !strings.Contains(context, " / "):
		return context + " / " + text, context + " / " + strings.TrimSuffix(text, " {")
	case text == "":
		return "", context
	}
	return context + " " + text, context
}

// unitState keeps name and state of a unit, and leaves out its description.
func unitState(line string) string {
	fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "● "))
	return strings.Join(fields[:min(4, len(fields))], " ")
}

// difference is what two dumps do not have in common.
type difference struct {
	gone, new []string
	moved     bool // the same lines in another order
}

func (d difference) empty() bool { return len(d.gone)+len(d.new) == 0 && !d.moved }

func (d difference) String() string {
	var out strings.Builder
	for _, line := range d.gone {
		fmt.Fprintf(&out, "  - %s\n", line)
	}
	for _, line := range d.new {
		fmt.Fprintf(&out, "  + %s\n", line)
	}
	if d.moved {
		out.WriteString("  packet-filter rules are in another order\n")
	}
	return out.String()
}

func compare(before, after dump) difference {
	count := map[string]int{}
	for _, line := range before {
		count[line]--
	}
	for _, line := range after {
		count[line]++
	}
	var d difference
	for _, line := range before {
		if count[line] < 0 {
			d.gone = append(d.gone, line)
			count[line]++
		}
	}
	for _, line := range after {
		if count[line] > 0 {
			d.new = append(d.new, line)
			count[line]--
		}
	}
	d.moved = !slices.Equal(without(before, d.gone), without(after, d.new))
	return d
}

// without leaves out the first occurrence of each of some lines.
func without(all dump, lines []string) dump {
	drop := map[string]int{}
	for _, line := range lines {
		drop[line]++
	}
	var out dump
	for _, line := range all {
		if drop[line] > 0 {
			drop[line]--
			continue
		}
		out = append(out, line)
	}
	return out
}

// allowance is a difference that a removal may leave, and why. Lines are those
// of a difference: "+ section thing" or "- section thing".
type allowance struct {
	pattern *regexp.Regexp
	reason  string
}

// allowances is the whole list, for a host as it is after a removal compared
// with the same host before its first join.
func allowances() []allowance {
	re := regexp.MustCompile
	return []allowance{
		{re(`units dbus\.(service|socket) loaded (in)?active`),
			"the kubelet speaks to systemd over the host's D-Bus, which starts on demand and is not ours to stop"},
		{re(`sysctls \S*/nf_conntrack_tcp_timeout_(established|close_wait):`),
			"kube-proxy sets them without writing down what they were; the verdict lists them as harmless"},
	}
}

// judge takes the allowed lines out of a difference and says which allowances
// were used.
func judge(d difference, allowed []allowance) (rest difference, used []bool) {
	used = make([]bool, len(allowed))
	keep := func(sign string, lines []string) (left []string) {
	next:
		for _, line := range lines {
			for i, a := range allowed {
				if a.pattern.MatchString(sign + line) {
					used[i] = true
					continue next
				}
			}
			left = append(left, line)
		}
		return left
	}
	rest.gone, rest.new, rest.moved = keep("- ", d.gone), keep("+ ", d.new), d.moved
	return rest, used
}

// isPristine fails the test unless a host is as it was before it joined. Things
// may take a moment to go (systemd's own cleaning up, or a program to whose last
// word the answer was lost), so it looks again for a while. An allowance that
// nothing needs is an error: the list stays short.
func (b *bed) isPristine(t *testing.T, host string, before dump) {
	t.Helper()
	b.isPristineBut(t, host, before, allowances())
}

// isPristineBut is isPristine with another list.
func (b *bed) isPristineBut(t *testing.T, host string, before dump, allowed []allowance) {
	t.Helper()
	var rest difference
	var used []bool
	deadline := time.After(departure)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		rest, used = judge(compare(before, b.look(t, host)), allowed)
		if rest.empty() {
			break
		}
		select {
		case <-deadline:
			t.Errorf("host %s is not as it was before it joined:\n%s", host, rest)
			return
		case <-tick.C:
		}
	}
	for i, a := range allowed {
		t.Logf("| allowed difference %s (used: %v): %s", a.pattern, used[i], a.reason)
		if !used[i] {
			t.Errorf("allowed difference %s was not needed: take it off the list", a.pattern)
		}
	}
}

// restlessHost is what the kubelet of a working node changes by itself after any
// pod has ended, for a minute or so: it counts for comparisons of a host that
// stays in the cluster, and stageNothingLeft looks at the end.
func restlessHost() []allowance {
	re := regexp.MustCompile
	return []allowance{
		{re(`files /var/lib/kubelet/(actuated|allocated)_pods_state `), "the kubelet's checkpoints name a past pod until the next one comes"},
		{re(`files /var/log/(pods|containers)/`), "pods write logs, and the kubelet's garbage collection of them comes once a minute"},
		{re(`runtime \d+$`), "the kubelet's garbage collection of containers comes once a minute"},
	}
}
