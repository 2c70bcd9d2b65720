// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// unmountLimit is how long the kernel gets for one unmount.
	unmountLimit = 20 * time.Second
	// busyLimit is how long a busy mount is asked again: a container that has
	// just ended closes its files a moment later.
	busyLimit = 3 * time.Second
	busyPause = 100 * time.Millisecond
)

// BusyError is a mount that someone uses. Nothing is detached behind anyone's
// back: the holders have to go.
type BusyError struct {
	Mount   Mount
	Holders []Holder
	// Loops are loop devices with files on it, which no process shows.
	Loops []string
	// More says that there may be others of both: not all was looked at.
	More bool
}

// Error names the mount and up to three of its holders.
func (e *BusyError) Error() string {
	const most = 3
	if len(e.Holders)+len(e.Loops) == 0 && e.More {
		return fmt.Sprintf("unmount %s: busy, and there is more on this host than could be looked at to find what uses it", e.Mount.Path)
	}
	if len(e.Holders)+len(e.Loops) == 0 {
		return fmt.Sprintf("unmount %s: busy, and no process on this host shows that it uses it (a swap file on it?)", e.Mount.Path)
	}
	names := slices.Clone(e.Loops[:min(most, len(e.Loops))])
	for _, h := range e.Holders[:min(most, len(e.Holders))] {
		names = append(names, h.String())
	}
	if more := max(0, len(e.Holders)-most) + max(0, len(e.Loops)-most); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	if e.More {
		names = append(names, "and perhaps others, since not all could be looked at")
	}
	return fmt.Sprintf("unmount %s: in use by %s", e.Mount.Path, strings.Join(names, ", "))
}

// Unwrap makes it an EBUSY.
func (e *BusyError) Unwrap() error { return unix.EBUSY }

// UnmountAll unmounts every mount for which ours says yes, and tells done of
// each. It reads the mounts again as long as there are any, since an unmount
// may take others with it or uncover one. It returns a *BusyError for a mount
// in use, after all others that could be unmounted are.
//
// A mount below another one of ours that is shared is a copy whose unmount
// would propagate to the original: `rbind /etc` brings copies of the mounts
// below /etc, and unmounting those took the host's own /etc/resolv.conf mount
// away (kubeadm reset 1.36). So the parent is made private first.
func (l Local) UnmountAll(ctx context.Context, ours func(Mount) bool, done func(Mount)) error {
	u := &unmounter{local: l}
	defer u.close()
	gaveUp := map[string]error{}
	for {
		mounts, err := l.Mounts()
		if err != nil {
			return err
		}
		order := UnmountOrder(mounts, ours)
		swept := l.sweep(ctx, easy(order, mounts, ours))
		progress, errs := len(swept) > 0, []error(nil)
		for _, m := range order {
			if swept[m.ID] {
				done(m)
				continue
			}
			if err, again := gaveUp[m.key()]; again {
				errs = append(errs, err)
				continue
			}
			switch err := u.unmount(ctx, m, mounts, ours); {
			case err == nil:
				progress = true
				done(m)
			case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
				// It went with another, most likely; the next look tells.
				gaveUp[m.key()] = fmt.Errorf("unmount %s: %w", m.Path, err)
				progress = true
			case ctx.Err() != nil:
				return context.Cause(ctx)
			default:
				gaveUp[m.key()] = err
				errs = append(errs, err)
			}
		}
		if !progress {
			return errors.Join(errs...)
		}
	}
}

func (m Mount) key() string { return fmt.Sprint(m.ID, m.Path, m.Device, m.Root) }

// unmounter unmounts with one child, and another when that one hangs.
type unmounter struct {
	local Local
	child *child
}

func (u *unmounter) close() {
	if u.child != nil {
		u.child.stop()
		u.child = nil
	}
}

// ask has a child do something, starting one if there is none, and abandons
// the child that does not answer.
func (u *unmounter) ask(ctx context.Context, verb, path string) error {
	return u.askWithin(ctx, verb, path, unmountLimit)
}

func (u *unmounter) askWithin(ctx context.Context, verb, path string, limit time.Duration) error {
	if u.child == nil {
		c, err := startChild()
		if err != nil {
			return err
		}
		u.child = c
	}
	err := u.child.ask(ctx, verb, u.local.Path(path), limit)
	var errno unix.Errno
	if err != nil && !errors.As(err, &errno) {
		u.close()
	}
	return err
}

// unmount unmounts one mount, first plainly; a remote one that does not answer
// once more with force, which makes the pending requests to its server fail.
func (u *unmounter) unmount(ctx context.Context, m Mount, all []Mount, ours func(Mount) bool) error {
	if err := u.separate(ctx, m, all, ours); err != nil {
		return err
	}
	err := u.ask(ctx, verbUnmount, m.Path)
	for deadline := time.Now().Add(busyLimit); errors.Is(err, unix.EBUSY) && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(busyPause):
		}
		err = u.ask(ctx, verbUnmount, m.Path)
	}
	if errors.Is(err, errNoAnswer) && m.Class() == Remote {
		err = u.ask(ctx, verbForce, m.Path)
	}
	switch {
	case errors.Is(err, unix.EBUSY):
		holders, more := u.local.Holders(m)
		loops, err := u.local.loopsBelow(m)
		return &BusyError{Mount: m, Holders: holders, Loops: loops, More: more || err != nil}
	case errors.Is(err, errNoAnswer):
		return fmt.Errorf("unmount %s (%s from %s): %w", m.Path, m.FSType, m.Source, err)
	}
	return err
}

// separate makes sure that unmounting m happens nowhere else: the mount it is
// on, if that is ours too, stops sharing its events. A parent that m covers
// entirely cannot be reached by any path; then a mount in the same place of
// one of the parent's peers, which would go as well, is a reason to refuse.
func (u *unmounter) separate(ctx context.Context, m Mount, all []Mount, ours func(Mount) bool) error {
	at := slices.IndexFunc(all, func(p Mount) bool { return p.ID == m.Parent })
	if at < 0 || (all[at].Peers == 0 && !all[at].Slave) || !ours(all[at]) {
		return nil
	}
	parent := all[at]
	if parent.Path != m.Path {
		if err := u.ask(ctx, verbPrivate, parent.Path); err != nil {
			return fmt.Errorf("make %s private: %w", parent.Path, err)
		}
		return nil
	}
	for _, peer := range all {
		if peer.Peers != parent.Peers || peer.Peers == 0 || ours(peer) {
			continue
		}
		if slices.ContainsFunc(all, func(c Mount) bool { return c.Parent == peer.ID && c.Path == peer.Path }) {
			return fmt.Errorf("unmount %s: %s shares it, and its mount would go too", m.Path, peer.Path)
		}
	}
	return nil
}

// servedLimit is how long a file system gets to say that it is served, and mostSilent how
// many may be silent before no more are asked.
const (
	servedLimit = time.Second
	mostSilent  = 4
)

// Serves asks file systems at some paths whether they answer, each in a child with a limit:
// nil for one that does, ENOTCONN for one whose program is gone. Those that were not asked
// have no answer.
func (l Local) Serves(ctx context.Context, paths []string) map[string]error {
	u := &unmounter{local: l}
	defer u.close()
	out, silent := map[string]error{}, 0
	for _, path := range paths {
		if silent == mostSilent || ctx.Err() != nil {
			break
		}
		err := u.askWithin(ctx, verbServed, path, servedLimit)
		if out[path] = err; errors.Is(err, errNoAnswer) {
			silent++
		}
	}
	return out
}
