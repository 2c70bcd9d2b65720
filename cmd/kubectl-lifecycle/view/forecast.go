// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/forecast"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// How much of a forecast is shown; -o json has all.
const (
	maxPods    = 3
	maxEntries = 8
)

// Forecast is the forecast for a person.
func Forecast(s *Sheet, f forecast.Forecast) error {
	p := &page{s}
	p.section("NODES")
	for _, n := range f.Nodes {
		p.item("  ", nodeLine(n))
	}
	p.surges(f)
	p.waves(f)
	p.refused(f)
	p.blockers(f)
	p.losses(f)
	p.section("TIME")
	p.item("  ", timeLine(f.Estimate))
	for _, rest := range f.Estimate.Rests {
		p.item("  - ", rest)
	}
	for _, note := range f.Notes {
		p.item("  - ", note)
	}
	p.section("COMMAND")
	return p.Command("  ", f.Command)
}

func nodeLine(n forecast.NodeForecast) string {
	state := choose(n.Ready, "Ready", "not Ready") + choose(n.Cordoned, ", cordoned", "") + choose(n.Zone == "", "", ", zone "+n.Zone)
	kept := ""
	if n.Kept > 0 {
		kept = fmt.Sprintf(", of which %d would be kept", n.Kept)
	}
	return fmt.Sprintf("%s (%s): %s %s%s; %d %s", n.Name, state, CountPods(n.Leave), choose(n.Leave == 1, "leaves", "leave"), kept, n.Stay,
		choose(n.Stay == 1, "stays", "stay"))
}

func timeLine(e forecast.Estimate) string {
	line := "at least " + Seconds(e.AtLeast)
	if e.UpTo > 0 || e.AtLeast == 0 && !e.Unbounded {
		line += ", up to " + Seconds(e.UpTo)
	} else {
		line += "; the longest time is unknown"
	}
	for i, b := range e.Slowest {
		line += fmt.Sprintf("%s %s (%s, %d at a time)", choose(i == 0, "; most of it for", ","), b.Budget, CountPods(b.Pods), b.Allowed)
	}
	return line
}

// podList names some pods.
func podList(pods []drain.Pod) string {
	var names []string
	for i, pod := range pods {
		if i == maxPods {
			return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(pods)-maxPods)
		}
		names = append(names, pod.String())
	}
	return strings.Join(names, ", ")
}

// surges are the Deployments that a surge changes, or leaves as they are.
func (p *page) surges(f forecast.Forecast) {
	if len(f.Surges) == 0 {
		return
	}
	p.section("SURGE")
	for i, s := range f.Surges {
		if i == maxEntries {
			p.item("  ", fmt.Sprintf("and %d more; -o json has all", len(f.Surges)-i))
			break
		}
		p.item("  ", s.Text)
	}
}

func (p *page) waves(f forecast.Forecast) {
	p.section("WAVES")
	if len(f.Waves) == 0 {
		p.item("  ", "none: no pod leaves")
	}
	for i, w := range f.Waves {
		if i == maxEntries && len(f.Waves) > maxEntries+1 {
			rest := 0
			for _, other := range f.Waves[i:] {
				rest += len(other.Pods)
			}
			p.item("  ", fmt.Sprintf("and %d more waves with %s", len(f.Waves)-i, CountPods(rest)))
			break
		}
		var spent []string
		for _, s := range w.Spent {
			spent = append(spent, fmt.Sprintf("%d of %s", s.Pods, s.Budget))
		}
		if more := len(spent) - maxPods; more > 0 {
			spent = append(spent[:maxPods], "and "+text.Count(more, "more budget"))
		}
		paragraphs := []string{CountPods(len(w.Pods)) + ": " + podList(w.Pods)}
		if len(spent) > 0 {
			paragraphs = append(paragraphs, "spends "+strings.Join(spent, ", "))
		}
		p.item(fmt.Sprintf("  %-3d", w.Number), paragraphs...)
	}
}

// refused are the pods that a flag is missing for.
func (p *page) refused(f forecast.Forecast) {
	refused := f.Refused()
	if len(refused) == 0 {
		return
	}
	p.section("REFUSED")
	for i, v := range refused {
		if i == maxEntries {
			p.item("  ", fmt.Sprintf("and %s more", CountPods(len(refused)-i)))
			break
		}
		p.item("  ", v.String()+": "+v.Message)
	}
}
