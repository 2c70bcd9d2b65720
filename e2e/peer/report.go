// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package peer

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Runs is how often each contender goes (BENCH_RUNS, 3); they take turns, so
// that all meet the same machine.
func Runs() int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_RUNS")); err == nil {
		return n
	}
	return 3
}

// Wanted reports whether a contender is to go: all of them, or those that
// BENCH_ONLY names a part of, separated by commas.
func Wanted(contender string) bool {
	only := os.Getenv("BENCH_ONLY")
	return only == "" || slices.ContainsFunc(strings.Split(only, ","), func(part string) bool { return strings.Contains(contender, part) })
}

// Report collects what contenders needed, in the order in which they came.
type Report struct {
	order []string
	by    map[string]*measured
}

type measured struct {
	took              []time.Duration
	requests, refused []int
}

// Add notes one run.
func (r *Report) Add(contender string, took time.Duration, requests, refused int) {
	if r.by == nil {
		r.by = map[string]*measured{}
	}
	m := r.by[contender]
	if m == nil {
		m = &measured{}
		r.by[contender] = m
		r.order = append(r.order, contender)
	}
	m.took, m.requests, m.refused = append(m.took, took), append(m.requests, requests), append(m.refused, refused)
}

// Text is the medians under a title, and each one's ratio to that of the last
// contender.
func (r *Report) Text(title string) string {
	if len(r.order) == 0 {
		return title + ": nobody went\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, medians of %d runs\n", title, Runs())
	last := median(r.by[r.order[len(r.order)-1]].took)
	for _, name := range r.order {
		m := r.by[name]
		fmt.Fprintf(&b, "  %-46s %8.2f s  %6d requests  %4d refused   %6.2f × ours\n", name, median(m.took).Seconds(), median(m.requests),
			median(m.refused),
			float64(median(m.took))/float64(last))
	}
	return b.String()
}

func median[T int | time.Duration](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
