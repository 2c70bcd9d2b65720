// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/forecast"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// addPlan adds --plan to drain, which then only reads.
func (e *env) addPlan(cmd *cobra.Command, f *drainFlags) {
	var only bool
	cmd.Flags().BoolVar(&only, "plan", false, "Only say how the drain would go: waves, what blocks and what unblocks it, room, losses, time. Exit code 3 if it would not end")
	do := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if only {
			return e.planDrain(cmd, args, *f)
		}
		return do(cmd, args)
	}
}

// planDrain reads, and says how the drain would go.
func (e *env) planDrain(cmd *cobra.Command, args []string, f drainFlags) error {
	f.RunnerNamespace = *e.flags.Namespace
	_, err := parseDryRun(f.dryRun)
	target, targetErr := targetOf(args, f.selector)
	if err := errors.Join(err, targetErr, checkOutput(f.output, "name"), f.Validate()); err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	outlook, err := forecast.Read(cmd.Context(), client, target, f.Options)
	if err != nil {
		return nothingChanged(err)
	}
	foreseen := forecast.Predict(outlook, f.Options, commandLine(cmd, args))
	if f.output == "name" {
		var pods []string
		for _, p := range foreseen.Pods {
			if p.Wave > 0 {
				pods = append(pods, p.Name)
			}
		}
		err = e.names("pod", pods...)
	} else {
		err = e.print(f.output, foreseen, func(s *sheet) error { return showForecast(s, foreseen) })
	}
	return errors.Join(err, foreseen.Err())
}

// commandLine is the command as it was typed, to be run, without what only says
// how to show it, and without secrets.
func commandLine(cmd *cobra.Command, args []string) string {
	words := append([]string{"kubectl", "lifecycle", cmd.Name()}, args...)
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if slices.Contains([]string{"plan", "dry-run", "output", "color", "v", "token", "password"}, flag.Name) {
			return
		}
		value := flag.Value.String()
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			value = strings.Join(list.GetSlice(), ",")
		}
		switch {
		case flag.Value.Type() == "bool" && value == "true":
			words = append(words, "--"+flag.Name)
		case flag.Value.Type() == "bool":
			words = append(words, "--"+flag.Name+"="+value)
		default:
			words = append(words, "--"+flag.Name, value)
		}
	})
	return text.Command(words...)
}

// How much of a forecast is shown; -o json has all.
const (
	pageWidth  = 80
	maxPods    = 3
	maxEntries = 8
)

// page is a sheet of sections that fits a terminal of pageWidth columns.
type page struct{ *sheet }

func (p *page) section(title string) { _ = p.line("%s", title) } // the sheet keeps the error

// item writes paragraphs behind a mark of some columns, in lines that are
// indented as much. A line break in a paragraph makes no other one.
func (p *page) item(mark string, paragraphs ...string) {
	indent, lead := strings.Repeat(" ", len(mark)), mark
	for _, paragraph := range paragraphs {
		line := ""
		for _, word := range strings.Fields(text.Line(paragraph)) {
			if line != "" && len(indent)+len([]rune(line))+1+len([]rune(word)) > pageWidth {
				_ = p.line("%s%s", text.Safe(lead), line)
				line, lead = "", indent
			}
			line += strings.TrimPrefix(" "+word, choose(line == "", " ", ""))
		}
		_ = p.line("%s%s", text.Safe(lead), line)
		lead = indent
	}
}

func choose(first bool, yes, no string) string {
	if first {
		return yes
	}
	return no
}

// showForecast is the forecast for a person.
func showForecast(s *sheet, f forecast.Forecast) error {
	p := &page{s}
	p.section("NODES")
	for _, n := range f.Nodes {
		p.item("  ", nodeLine(n))
	}
	p.waves(f)
	p.refused(f)
	p.blockers(f)
	p.losses(f)
	p.section("TIME")
	p.item("  ", timeLine(f.Estimate, len(f.Unconfirmed) > 0))
	for _, rest := range f.Estimate.Rests {
		p.item("  - ", rest)
	}
	for _, note := range f.Notes {
		p.item("  - ", note)
	}
	p.section("COMMAND")
	return p.command("  ", f.Command)
}

func nodeLine(n forecast.NodeForecast) string {
	state := choose(n.Ready, "Ready", "not Ready") + choose(n.Cordoned, ", cordoned", "") + choose(n.Zone == "", "", ", zone "+n.Zone)
	kept := ""
	if n.Kept > 0 {
		kept = fmt.Sprintf(", of which %d would be kept", n.Kept)
	}
	return fmt.Sprintf("%s (%s): %s %s%s; %d %s", n.Name, state, countPods(n.Leave), choose(n.Leave == 1, "leaves", "leave"), kept, n.Stay, choose(n.Stay == 1, "stays", "stay"))
}

func timeLine(e forecast.Estimate, endless bool) string {
	line := "at least " + seconds(e.AtLeast)
	if e.UpTo > 0 || e.AtLeast == 0 && !endless {
		line += ", up to " + seconds(e.UpTo)
	} else {
		line += "; there is no saying how long at most"
	}
	for i, b := range e.Slowest {
		line += fmt.Sprintf("%s %s (%s, %d at a time)", choose(i == 0, "; most of it for", ","), b.Budget, countPods(b.Pods), b.Allowed)
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
			p.item("  ", fmt.Sprintf("and %d more waves with %s", len(f.Waves)-i, countPods(rest)))
			break
		}
		var spent []string
		for _, s := range w.Spent {
			spent = append(spent, fmt.Sprintf("%d of %s", s.Pods, s.Budget))
		}
		if more := len(spent) - maxPods; more > 0 {
			spent = append(spent[:maxPods], fmt.Sprintf("and %d more budgets", more))
		}
		paragraphs := []string{countPods(len(w.Pods)) + ": " + podList(w.Pods)}
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
			p.item("  ", fmt.Sprintf("and %s more", countPods(len(refused)-i)))
			break
		}
		p.item("  ", v.String()+": "+v.Message)
	}
}
