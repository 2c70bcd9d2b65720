// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Result is what a probe has found.
type Result struct {
	// Nodes are those between which packets were sent, Skipped those that could not
	// take part, with the reason of each.
	Nodes   []string  `json:"nodes"`
	Skipped []Skipped `json:"skipped,omitempty"`
	// Lines are what was tried, Pairs what came of it between each two nodes.
	Lines []Line `json:"lines"`
	Pairs []Pair `json:"pairs"`
}

// Line is one thing that was tried, in all ways in which it was.
type Line struct {
	Name string `json:"name"`
	// Outcome is "works", "fails" or "not tried".
	Outcome Outcome `json:"outcome"`
	// Detail says how well, or what fails and how.
	Detail string `json:"detail"`
	// Finding is the id under which a failure is explained; empty if it is none.
	Finding string `json:"finding,omitempty"`
	// Messages are why it failed, each once.
	Messages []string `json:"messages,omitempty"`
}

// Pair is what came of packets from one node's pod to another's, and back.
type Pair struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Stream is of bytes over TCP, FullSize of one packet of Bytes that may not be
	// divided.
	Stream   Outcome `json:"stream"`
	FullSize Outcome `json:"fullSize"`
	Bytes    int     `json:"bytes,omitempty"`
	// Why is why one of them fails.
	Why string `json:"why,omitempty"`
}

// Outcome is what came of something that was tried.
type Outcome string

// The outcomes.
const (
	Works    Outcome = "works"
	Fails    Outcome = "fails"
	NotTried Outcome = "not tried"
)

// try is one way in which something was tried.
type try struct {
	// way is "a → b".
	way string
	// why is why it failed; empty if it did not.
	why  string
	took time.Duration
}

// The names of what is tried, in the order of their lines.
const (
	Pods     = "pods start and have an address"
	SameNode = "pod to pod, on one node"
	Across   = "pod to pod, across nodes"
	Sized    = "packets of full size, across nodes"
	Service  = "Service"
	Names    = "DNS"
	Server   = "API server, from a pod"
	HostPort = "hostPort"
)

// order are the lines in their order.
func order() []string {
	return []string{Pods, SameNode, Across, Sized, Service, Names, Server, HostPort}
}

// explainedBy is the id under which a failure is explained. Why pods do not start is
// told by the kubelet's words alone; a stream that opens, and then hangs, loses its long
// packets.
func explainedBy(name string, messages []string) string {
	hangs := func(m string) bool { return strings.HasPrefix(m, wire.ProbeCut) }
	if name == Across && !slices.ContainsFunc(messages, func(m string) bool { return !hangs(m) }) {
		return explainedBy(Sized, nil)
	}
	return map[string]string{
		SameNode: "CNI031", Across: "CNI015", Sized: "CNI016", Service: "CNI009", Names: "CNI029", Server: "CNI009", HostPort: "CNI030",
	}[name]
}

// Works says whether all that was tried works.
func (r Result) Works() bool { return len(r.Failed()) == 0 }

// Failed are the lines of what fails.
func (r Result) Failed() []Line {
	return slices.DeleteFunc(slices.Clone(r.Lines), func(l Line) bool { return l.Outcome != Fails })
}

// lineOf puts the ways together in which one thing was tried; it is pure.
func lineOf(name string, tries []try, untried string) Line {
	if len(tries) == 0 {
		return Line{Name: name, Outcome: NotTried, Detail: text.Brief(untried)}
	}
	var failed, messages []string
	slowest := time.Duration(0)
	for _, t := range tries {
		if t.why != "" {
			failed = append(failed, t.way+": "+text.Brief(t.why))
			messages = append(messages, text.Line(t.why))
		}
		slowest = max(slowest, t.took)
	}
	if len(failed) == 0 {
		detail := fmt.Sprintf("%d of %d, %s at most", len(tries), len(tries), slowest.Round(time.Millisecond/10))
		return Line{Name: name, Outcome: Works, Detail: detail}
	}
	slices.Sort(failed)
	detail := fmt.Sprintf("%d of %d fail: %s", len(failed), len(tries), failed[0])
	if len(failed) > 1 {
		detail += fmt.Sprintf("; and %d more", len(failed)-1)
	}
	slices.Sort(messages)
	return Line{Name: name, Outcome: Fails, Detail: detail, Finding: explainedBy(name, messages), Messages: slices.Compact(messages)}
}

// outcomeOf is the outcome of one try, nil being none.
func outcomeOf(err error) Outcome {
	if err != nil {
		return Fails
	}
	return Works
}
