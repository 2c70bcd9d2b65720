// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// heartbeat is how often a wait says that it goes on.
const heartbeat = 10 * time.Second

// signals is how mirrors tell their one reader that there is something to look
// at. Both channels hold one message: the reader looks at everything anyway.
type signals struct {
	changed chan struct{}
	failed  chan error
}

func newSignals() signals {
	return signals{changed: make(chan struct{}, 1), failed: make(chan error, 1)}
}

func (s signals) change() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s signals) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// mirror keeps a local copy of API objects by list and watch, starting again
// from a list whenever the watch breaks. Errors of that are told to fail. stop
// returns when nothing of it runs any more.
func mirror(ctx context.Context, informer cache.SharedIndexInformer, change func(), fail func(error)) (stop func(), err error) {
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

// lasting says whether an error of a watch will not go away by trying again.
func lasting(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}

// passing reports an error that trying again may cure; a watch that merely
// aged is none.
func passing(report plan.Report, err error) {
	if err != nil && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		report("the API server does not answer, trying again: %s", plain(err.Error()))
	}
}

// orNobody makes a report that may be called.
func orNobody(report plan.Report) plan.Report {
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

// ended makes the error of a wait whose context ended: for what it was, the
// way out, and whether a deadline (TimedOut) or a person (Interrupted) ended it.
func ended(ctx context.Context, what, hint string) error {
	cause := context.Cause(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return plan.As(plan.TimedOut, plan.Hint(&stopped{"timed out waiting for " + what, cause}, "%s", hint))
	}
	return plan.As(plan.Interrupted, plan.Hint(&stopped{"interrupted while waiting for " + what, cause}, "%s", hint))
}
