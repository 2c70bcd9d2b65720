// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// sweepers is how many children unmount at once: the kernel has each wait for
// the others' processors, which two do together.
const sweepers = 2

// sweep unmounts those of some mounts that need no care, without waiting for
// one before asking for the next, and returns the ids of those that are gone.
// Whatever else becomes of one is left to be found out by unmounting it again.
func (l Local) sweep(ctx context.Context, easy []Mount) map[int]bool {
	const worthwhile = 16 // below that, starting a child takes longer
	gone := map[int]bool{}
	if len(easy) < worthwhile {
		return gone
	}
	var lock sync.Mutex
	var all sync.WaitGroup
	for n := range sweepers {
		share := easy[n*len(easy)/sweepers : (n+1)*len(easy)/sweepers]
		all.Go(func() {
			l.sweepOne(ctx, share, func(m Mount) {
				lock.Lock()
				defer lock.Unlock()
				gone[m.ID] = true
			})
		})
	}
	all.Wait()
	return gone
}

// sweepOne is one child's share.
func (l Local) sweepOne(ctx context.Context, share []Mount, done func(Mount)) {
	c, err := startChild()
	if err != nil {
		return
	}
	defer c.stop()
	go func() {
		for _, m := range share {
			if c.tell(verbUnmount, l.Path(m.Path)) != nil {
				return
			}
		}
	}()
	var errno unix.Errno
	for _, m := range share {
		err := c.answer(ctx, unmountLimit)
		if err != nil && !errors.As(err, &errno) {
			return // it hangs, or there is no child any more
		}
		if err == nil {
			done(m)
		}
	}
}

// easy are those of our mounts, in the given order, that nothing is mounted on,
// whose unmounting happens nowhere else but below what is no copy, and whose file
// system cannot hang for want of a server.
func easy(order, all []Mount, ours func(Mount) bool) []Mount {
	under, byID := map[int]bool{}, map[int]Mount{}
	for _, m := range all {
		under[m.Parent] = true
		byID[m.ID] = m
	}
	var out []Mount
	for _, m := range order {
		parent, known := byID[m.Parent]
		if !under[m.ID] && m.Class() != Remote && known && !ours(parent) {
			out = append(out, m)
		}
	}
	return out
}
