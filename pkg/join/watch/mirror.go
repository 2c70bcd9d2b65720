// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Heartbeat is how often a wait says that it goes on.
const Heartbeat = 10 * time.Second

// Signals is how mirrors tell their one reader that there is something to look
// at. Both channels hold one message: the reader looks at everything anyway.
type Signals struct {
	Changed chan struct{}
	Failed  chan error
}

// NewSignals makes them.
func NewSignals() Signals {
	return Signals{Changed: make(chan struct{}, 1), Failed: make(chan error, 1)}
}

// Change says that there is something to look at.
func (s Signals) Change() {
	select {
	case s.Changed <- struct{}{}:
	default:
	}
}

// Fail says that a mirror has met an error.
func (s Signals) Fail(err error) {
	select {
	case s.Failed <- err:
	default:
	}
}

// Mirror keeps a local copy of API objects by list and watch, starting again
// from a list whenever the watch breaks. Errors of that are told to fail. stop
// returns when nothing of it runs any more.
func Mirror(ctx context.Context, informer cache.SharedIndexInformer, change func(), fail func(error)) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { change() },
		UpdateFunc: func(_, _ any) { change() },
		DeleteFunc: func(any) { change() },
	})
	if err == nil {
		// The default handler logs; ours reports.
		err = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) { fail(err) })
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start a watch: %w", err)
	}
	var running sync.WaitGroup
	running.Go(func() { informer.RunWithContext(ctx) })
	return func() { cancel(); running.Wait() }, nil
}

// Lasting says whether an error of a watch will not go away by trying again.
func Lasting(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}

// Retrying says an error that trying again may cure; a watch that merely
// aged is none.
func Retrying(report plan.Report, err error) {
	if err != nil && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		report("the API server does not answer, trying again: %s", text.Brief(err.Error()))
	}
}

// OrSilent makes a report that may be called.
func OrSilent(report plan.Report) plan.Report {
	if report == nil {
		return func(string, ...any) {}
	}
	return report
}

// stopped is the error of a wait whose context ended.
type stopped struct {
	text  string
	cause error
}

func (s *stopped) Error() string { return s.text }
func (s *stopped) Unwrap() error { return s.cause }

// Ended makes the error of a wait whose context ended: for what it was, the
// way out, and whether a deadline (TimedOut) or a person (Interrupted) ended it.
func Ended(ctx context.Context, what, hint string) error {
	cause := context.Cause(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return plan.As(plan.TimedOut, plan.Hint(&stopped{"timed out waiting for " + what, cause}, "%s", hint))
	}
	return plan.As(plan.Interrupted, plan.Hint(&stopped{"interrupted while waiting for " + what, cause}, "%s", hint))
}

// Span is a duration without zero units: 1h, 90s as 1m30s, 24h.
func Span(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
