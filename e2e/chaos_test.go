// SPDX-License-Identifier: Apache-2.0

//go:build e2e && chaos

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// moments makes a journey without any fault, and returns the moments that its
// own list of steps has.
func (b *bed) moments(t *testing.T, j journey) []moment {
	t.Helper()
	b.drained(t)
	o := j.from.must(t, j.args...)
	j.arrived(t)
	var out []moment
	for line := range strings.Lines(o.stderr) {
		line = strings.TrimSpace(line)
		if title, is := strings.CutPrefix(line, "✓ "); is {
			title, _, _ = strings.Cut(title, " (")
			line = "✓ " + title
		} else if !strings.HasPrefix(line, "… ") {
			continue
		}
		if m := moment(line); !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// TestChaos is the kill matrix: every fault at every moment of a removal and of a
// move.
func TestChaos(t *testing.T) {
	b := newBed(t)
	b.ears = listen(t, b.client)
	b.fresh(t)
	b.withNetwork(t)
	journeys := []journey{b.removal()}
	if asked("move") {
		b.drained(t)
		journeys = append(journeys, b.moving(t, b.anotherCluster(t)))
	}
	for _, j := range journeys {
		if asked(j.name) {
			b.chaos(t, j)
		}
	}
}

// chaos is the matrix of one journey; it prints it in the end.
func (b *bed) chaos(t *testing.T, j journey) {
	t.Helper()
	all := b.moments(t, j)
	matrix := map[moment]map[string]string{}
	for _, m := range all {
		matrix[m] = map[string]string{}
		for _, f := range faults() {
			if !wanted("CHAOS_MOMENTS", string(m)) || !wanted("CHAOS_FAULTS", f.name) {
				continue
			}
			ok := t.Run(strings.ReplaceAll(j.name+": "+f.name+" at "+string(m), "/", "∕"), func(t *testing.T) { b.strikes(t, j, f, m) })
			if !ok { // the next one begins on a host of which nobody knows
				b.remake(t)
				j.forget(t)
				b.fresh(t)
			}
			matrix[m][f.name] = map[bool]string{true: "ok", false: "FAILED"}[ok]
		}
	}
	fmt.Println("the matrix of " + j.name)
	for _, m := range all {
		var cells []string
		for _, f := range faults() {
			cells = append(cells, fmt.Sprintf("%-7s", cmp.Or(matrix[m][f.name], "-")))
		}
		fmt.Printf("%s %s\n", strings.Join(cells, " "), m)
	}
	for i, f := range faults() {
		fmt.Printf("column %d: %s\n", i+1, f.name)
	}
}

// asked reports whether a journey is among those that are asked for, whole names
// ("move" is a part of "remove"); all are if none is named.
func asked(journey string) bool {
	only := os.Getenv("CHAOS_JOURNEYS")
	return only == "" || slices.Contains(strings.Split(only, ","), journey)
}

// wanted reports whether a name is among those of a variable, parts of names
// separated by commas; all are if it is not set.
func wanted(variable, name string) bool {
	only := os.Getenv(variable)
	return only == "" || slices.ContainsFunc(strings.Split(only, ","), func(part string) bool { return strings.Contains(name, part) })
}
