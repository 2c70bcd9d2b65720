// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// gap is one thing that is missing until the network works.
type gap struct {
	// kind and name say what it is about: "agent on" a node, "node", the
	// "agents" or "CoreDNS" as such (then without a name).
	kind, name string
	// why is the reason as the cluster gives it.
	why string
	// see is a command that shows more.
	see string
	// pod is the agent that the gap is about; nil if there is none.
	pod *corev1.Pod
	// crashed names the container of it whose log tells more; else empty.
	crashed string
	// unpulled: its image could not be pulled, which is named.
	unpulled      bool
	unpulledImage string
	// hint is the way out of what does not pass by waiting.
	hint string
}

// The kinds of gaps.
const (
	agentOn  = "agent on"
	ofAgents = "agents"
	ofNode   = "node"
	ofDNS    = "CoreDNS"
)

// grouped says each reason once, with those it holds for: "node a, b, c: not
// Ready: …".
func grouped(gaps []gap) []string {
	type group struct{ kind, why string }
	var order []group
	names := map[group][]string{}
	for _, g := range gaps {
		key := group{g.kind, g.why}
		if _, seen := names[key]; !seen {
			order = append(order, key)
		}
		names[key] = append(names[key], g.name)
	}
	var lines []string
	for _, key := range order {
		who := names[key]
		if len(who) > maxNames {
			who = append(who[:maxNames:maxNames], fmt.Sprintf("%d more", len(who)-maxNames))
		}
		lines = append(lines, strings.TrimSuffix(key.kind+" "+strings.Join(who, ", "), " ")+": "+key.why)
	}
	return lines
}

// short is the first reason and the number of the others.
func short(gaps []gap) string {
	lines := grouped(gaps)
	if len(lines) == 1 {
		return lines[0]
	}
	return fmt.Sprintf("%s (and %d more)", lines[0], len(lines)-1)
}
