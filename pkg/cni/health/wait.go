// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// heartbeat is how often a wait says that it still waits.
	heartbeat = 15 * time.Second
	// pause is between two reports: what changes faster is told together.
	pause = time.Second
	// settled is how long the network has to work without a break: an agent
	// without a readiness probe, such as flannel's, is ready for the moment
	// before each crash.
	settled = 3 * time.Second
	// lastLook is for asking what went wrong after the time is up.
	lastLook = 5 * time.Second
	// maxReasons and maxNames bound what an error says.
	maxReasons, maxNames = 5, 3
)

// Wait returns when the network works: the agents' DaemonSet is the newest and
// seen, an agent is ready on every Linux node and has written there what others
// need to route to it, every node is Ready, and CoreDNS is available, all that
// for three seconds. It watches, reports what it waits for when that changes,
// and gives a sign of life every 15 s.
//
// Nodes of which nothing can be expected (dead, being deleted) are not waited
// for; Look names them. What does not pass by waiting (nodes that are never
// served, records that lead packets astray) ends the wait once nothing else has
// been missing for ten seconds, with an error that names it.
//
// When ctx ends, the error is of class TimedOut or Interrupted and names what
// is missing; its hint says what to look at.
func Wait(ctx context.Context, client kubernetes.Interface, target Target, report plan.Report) error {
	within, stop := context.WithCancel(ctx)
	w := watchers(client, target)
	defer func() {
		stop()
		w.stop()
	}()
	if err := w.start(within); err != nil {
		return fmt.Errorf("watch the network: %w", err)
	}
	f := follower{watch: w, report: report, since: time.Now()}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-f.whole(f.look()):
			if faults := w.view().faults(); len(faults) > 0 {
				return target.wrong(faults)
			}
			return nil
		case <-w.changed:
		case <-f.later:
			f.later = nil
		case <-beat.C:
			f.beat(within, client)
		case err := <-w.broken:
			report("the API server does not answer: %s; trying again", oneLine(err.Error()))
		case err := <-w.denied:
			return fmt.Errorf("watch the network: %w", err)
		case <-ctx.Done():
			return w.gaveUp(ctx, client, context.Cause(ctx))
		}
	}
}

// follower remembers what was said last.
type follower struct {
	watch  *watch
	report plan.Report
	since  time.Time
	said   string
	saidAt time.Time
	// later delivers when a report is due that came too soon after another.
	later <-chan time.Time
	// works is since when nothing is missing; zero while something is.
	works time.Time
	// wrong says that something does not pass by waiting.
	wrong bool
}

// whole returns a channel that delivers once the network has worked long
// enough, whatever else happens in that time: in a large cluster something always
// does.
func (f *follower) whole(works bool) <-chan time.Time {
	if !works {
		f.works = time.Time{}
		return nil
	}
	if f.works.IsZero() {
		f.works = time.Now()
	}
	limit := settled
	if f.wrong {
		limit = faultsLast
	}
	return time.After(limit - time.Since(f.works))
}

// look says what has changed, and whether the network works.
func (f *follower) look() bool {
	v := f.watch.view()
	gaps := v.gaps()
	line := v.summary()
	if len(gaps) > 0 {
		line += "; waiting for " + short(gaps)
	}
	faults := v.faults()
	if f.wrong = len(faults) > 0; f.wrong {
		line += "; wrong: " + short(faults)
	}
	switch left := pause - time.Since(f.saidAt); {
	case line == f.said:
	case left > 0 && f.said != "":
		f.later = time.After(left)
	default:
		f.report("%s", line)
		f.said, f.saidAt = line, time.Now()
	}
	return len(gaps) == 0
}

// beat says again what is waited for, since when, and what more can be learned.
func (f *follower) beat(ctx context.Context, client kubernetes.Interface) {
	v := f.watch.view()
	gaps := explain(ctx, client, v)
	if len(gaps) == 0 {
		return
	}
	f.report("%s; waiting for %s (%s so far)", v.summary(), short(gaps), time.Since(f.since).Round(time.Second))
}

// gaveUp is the error of a wait that ended before the network worked.
func (w *watch) gaveUp(ctx context.Context, client kubernetes.Interface, cause error) error {
	fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	v := w.view()
	gaps := explain(fresh, client, v)
	if len(gaps) == 0 {
		return plan.Hint(fmt.Errorf("%w before the network had worked for %s", cause, settled), "run the same command again to go on waiting")
	}
	lines := grouped(gaps)
	if len(lines) > maxReasons {
		lines = append(lines[:maxReasons], "and "+text.Count(len(lines)-maxReasons, "more reason"))
	}
	err := fmt.Errorf("%w: the network does not work yet (%s):\n%s", cause, v.summary(), strings.Join(lines, "\n"))
	if errors.Is(cause, context.DeadlineExceeded) {
		err = plan.As(plan.TimedOut, fmt.Errorf("time is up: the network does not work yet (%s):\n%s", v.summary(), strings.Join(lines, "\n")))
	}
	hint := fmt.Sprintf("look at: %s\n", gaps[0].see)
	if slices.ContainsFunc(gaps, func(g gap) bool { return g.unpulled }) {
		hint += "images from elsewhere: --mirror REGISTRY=HOST, with --check-images to see them there first\n"
	}
	return plan.Hint(err, "%srun the same command again to go on waiting", hint)
}
