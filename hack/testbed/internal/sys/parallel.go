// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"context"
	"errors"
	"sync"
)

// Task is a piece of work that can be cancelled.
type Task func(context.Context) error

// Parallel runs the tasks, at most limit at a time and started in their order,
// so that the longest can be put first. The first error cancels the rest; the
// errors that are mere echoes of that cancellation are dropped.
func Parallel(ctx context.Context, limit int, tasks ...Task) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, limit)
	errs := make([]error, len(tasks))
	var wg sync.WaitGroup
	for i, task := range tasks {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			err := task(ctx)
			if err == nil {
				return
			}
			if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
				errs[i] = err
			}
			cancel()
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return ctx.Err()
}
