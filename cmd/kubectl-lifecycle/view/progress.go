// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/term"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Progress shows events to a person on stderr: one line that changes in place
// on a terminal, plain lines elsewhere.
type Progress struct {
	mu      sync.Mutex
	out     io.Writer
	live    bool
	color   bool
	width   func() int
	started map[string]time.Time
	running []string // the lines of the steps that go on, the innermost last
	pending bool     // a live line without an end is on the screen
	last    string   // the last plain progress line, to leave out repetitions
	block   int      // lines of a picture that are on the screen
	moved   time.Time
	stop    chan struct{}
}

// heartbeat is how often a pipe or a log is told that something still goes on.
const heartbeat = 15 * time.Second

// NewProgress shows events on a stream: in place if it is live, in colours or not.
func NewProgress(out io.Writer, live, color bool) *Progress {
	p := &Progress{
		out: out, live: live, color: color, width: terminalWidth(out),
		started: map[string]time.Time{}, moved: time.Now(), stop: make(chan struct{}),
	}
	go p.beat()
	return p
}

// Live says that what is shown changes in place.
func (p *Progress) Live() bool { return p.live }

// beat repeats what is waited for, and for how long, when nothing has been
// shown for a while. A terminal gets it in place.
func (p *Progress) beat() {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		p.remind(time.Now())
		p.mu.Unlock()
	}
}

// remind says what goes on if nothing was shown for a while: the last word about it,
// or, after a step has ended, the step that it was a part of.
func (p *Progress) remind(now time.Time) {
	what := p.last
	if n := len(p.running); what == "" && n > 0 && p.block == 0 {
		what = p.running[n-1]
	}
	if quiet := now.Sub(p.moved); what != "" && quiet >= heartbeat {
		p.show(fmt.Sprintf("%s (for %s now)", what, quiet.Round(time.Second)))
	}
}

func terminalWidth(stream io.Writer) func() int {
	return func() int {
		if f, ok := stream.(*os.File); ok {
			if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 10 {
				return w
			}
		}
		return 80
	}
}

// Observe shows one event. A host or an API server chose its words: they are made
// one line, and a message does not begin with a mark that this program sets.
func (p *Progress) Observe(e plan.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Title, e.Message = text.Line(e.Title), Unmarked(text.Line(e.Message))
	key := e.Host + "\x00" + e.Step
	indent := ""
	if e.Host != "" {
		indent = "  "
	}
	switch e.Kind {
	case plan.Started:
		p.started[key] = e.Time
		p.ended(indent + "… " + e.Title) // of a start that was killed
		p.running = append(p.running, indent+"… "+e.Title)
		p.passing(indent + "… " + e.Title)
	case plan.Progress:
		p.passing(indent + "  " + e.Message)
	case plan.Skipped:
		p.line(indent + p.paint("2", "- "+e.Title+" (nothing to do)"))
	case plan.Undone:
		p.line(indent + p.paint("33", "↺ "+e.Title+" (undone)"))
	case plan.Done:
		p.ended(indent + "… " + e.Title)
		p.line(indent + p.paint("32", "✓ ") + e.Title + p.took(key, e.Time))
	case plan.Failed:
		p.ended(indent + "… " + e.Title)
		p.line(indent + p.paint("31", "✗ ") + e.Title + p.took(key, e.Time))
	}
}

// Unmarked is a message without the signs that it begins with: "✓", and all that
// looks like it, is said by this program alone.
func Unmarked(s string) string {
	return strings.TrimLeftFunc(s, func(r rune) bool {
		return r == ' ' || r > unicode.MaxASCII && (unicode.IsSymbol(r) || unicode.IsPunct(r) || unicode.IsMark(r))
	})
}

// ended forgets the line of a step that is over, the last of its title.
func (p *Progress) ended(line string) {
	for i := len(p.running) - 1; i >= 0; i-- {
		if p.running[i] == line {
			p.running = slices.Delete(p.running, i, i+1)
			return
		}
	}
}

// took says how long a step was under way, from a tenth of a second on.
func (p *Progress) took(key string, end time.Time) string {
	start, ok := p.started[key]
	if !ok || end.Sub(start) < 100*time.Millisecond {
		return ""
	}
	return fmt.Sprintf(" (%s)", end.Sub(start).Round(100*time.Millisecond))
}

// passing shows a line that the next one replaces on a terminal. Elsewhere a
// repetition is left out.
func (p *Progress) passing(s string) {
	if s == p.last && !p.live {
		return
	}
	p.last, p.moved = s, time.Now()
	p.show(s)
}

func (p *Progress) show(s string) {
	if !p.live {
		fmt.Fprintln(p.out, s)
		return
	}
	p.clear()
	fmt.Fprint(p.out, p.fit(s))
	p.pending = true
}

// fit makes a line fit the terminal.
func (p *Progress) fit(s string) string {
	if r := []rune(s); len(r) >= p.width() {
		s = string(r[:p.width()-2]) + "…"
	}
	return s
}

// clear takes away what the next line replaces.
func (p *Progress) clear() {
	var out strings.Builder
	if p.pending || p.block > 0 {
		out.WriteString("\r\x1b[K")
	}
	for range p.block {
		out.WriteString("\x1b[1A\x1b[K")
	}
	fmt.Fprint(p.out, out.String())
	p.pending, p.block = false, 0
}

// maxBlock is how many lines of a picture are shown at once.
const maxBlock = 20

// Picture shows several lines in place on a terminal, and nothing elsewhere.
func (p *Progress) Picture(lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.live {
		return
	}
	if more := len(lines) - maxBlock; more > 0 {
		lines = append(lines[:maxBlock:maxBlock], "… and "+text.Count(more, "more line"))
	}
	p.clear()
	for _, line := range lines {
		fmt.Fprintln(p.out, p.fit("  "+text.Spaced(line)))
	}
	p.block, p.last, p.moved = len(lines), "", time.Now()
}

// line shows a line that stays.
func (p *Progress) line(s string) {
	p.clear()
	p.last, p.moved = "", time.Now()
	if p.live {
		s = Hung(s, p.width())
	}
	fmt.Fprintln(p.out, s)
}

// Close ends a live line and the heartbeat, before something else is written.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.stop)
	p.clear()
}

func (p *Progress) paint(code, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
