// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// renewWatch is how long a watch lives before it is opened again, a few minutes
// as in client-go's reflectors.
const renewWatch = 7 * time.Minute

// Mirror holds the objects of one kind as the server last told them, by UID,
// so that a new object of an old name is never taken for the old one.
type Mirror[T metav1.Object] struct {
	mu     sync.Mutex
	items  map[types.UID]T
	synced bool
	// heard are the objects of all events since the last call of news: what
	// two events in a row said is not lost in between.
	heard   []T
	trouble error
	// wake is called after every change, outside the lock.
	wake func()
}

// NewMirror is empty; wake is called after every change.
func NewMirror[T metav1.Object](wake func()) *Mirror[T] {
	return &Mirror[T]{items: map[types.UID]T{}, wake: wake}
}

// Get is the object of that UID, if it is there.
func (m *Mirror[T]) Get(uid types.UID) (T, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	item, ok := m.items[uid]
	return item, ok
}

// All are the objects that are there, in no order.
func (m *Mirror[T]) All() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]T, 0, len(m.items))
	for _, item := range m.items {
		out = append(out, item)
	}
	return out
}

// News returns what was heard since the last call, deletions included.
func (m *Mirror[T]) News() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	heard := m.heard
	m.heard = nil
	return heard
}

// State says whether the first list has arrived, and what is wrong if the last
// request failed.
func (m *Mirror[T]) State() (synced bool, trouble error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.synced, m.trouble
}

// Replace takes a whole list in.
func (m *Mirror[T]) Replace(items []T) {
	m.change(func() {
		m.items = make(map[types.UID]T, len(items))
		for _, item := range items {
			m.items[item.GetUID()] = item
		}
		m.heard = append(m.heard, items...)
		m.synced, m.trouble = true, nil
	})
}

func (m *Mirror[T]) apply(kind watch.EventType, item T) {
	m.change(func() {
		if kind == watch.Deleted {
			delete(m.items, item.GetUID())
		} else {
			m.items[item.GetUID()] = item
		}
		m.heard = append(m.heard, item)
		m.trouble = nil
	})
}

func (m *Mirror[T]) fail(err error) { m.change(func() { m.trouble = err }) }

func (m *Mirror[T]) change(do func()) {
	m.mu.Lock()
	do()
	m.mu.Unlock()
	m.wake()
}

// Source lists and watches one kind of object.
type Source[T metav1.Object] struct {
	Resource string
	Query    metav1.ListOptions
	// keep says which objects matter; nil means all.
	Keep  func(T) bool
	List  func(context.Context, metav1.ListOptions) (items []T, meta metav1.ListMeta, err error)
	Watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

func (s Source[T]) matters(item T) bool { return s.Keep == nil || s.Keep(item) }

// Follow keeps the mirror up to date until ctx ends. Without the permission to
// do so it ends with that error; every other failure is tried again.
func (s Source[T]) Follow(ctx context.Context, into *Mirror[T]) error {
	failures := 0
	for ctx.Err() == nil {
		all, version, err := s.Read(ctx)
		if err == nil {
			into.Replace(all)
		}
		for err == nil {
			failures = 0
			version, err = s.stream(ctx, version, into)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case apierrors.IsForbidden(err):
			return unreadWatch(err, s.Resource)
		case !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err):
			failures++
			into.fail(err)
		}
		// A version that the server cannot serve is not asked for twice.
		s.Query.ResourceVersion, s.Query.ResourceVersionMatch = "", ""
		pause(ctx, Backoff(failures, 500*time.Millisecond, 15*time.Second))
	}
	return nil
}

// Read lists everything that matters, and returns the version of the list.
func (s Source[T]) Read(ctx context.Context) (all []T, version string, err error) {
	err = Pages(s.Query, func(query metav1.ListOptions) (string, error) {
		items, meta, err := s.List(ctx, query)
		if err != nil {
			return "", err
		}
		if query.Continue == "" {
			all, version = nil, meta.ResourceVersion
		}
		for _, item := range items {
			if s.matters(item) {
				all = append(all, item)
			}
		}
		return meta.Continue, nil
	})
	return all, version, err
}

// stream watches from a version on until the watch ends, and returns the
// version it came to.
func (s Source[T]) stream(ctx context.Context, version string, into *Mirror[T]) (string, error) {
	seconds, begun := int64(renewWatch.Seconds()), time.Now()
	w, err := s.Watch(ctx, metav1.ListOptions{
		FieldSelector:       s.Query.FieldSelector,
		ResourceVersion:     version,
		AllowWatchBookmarks: true,
		TimeoutSeconds:      &seconds,
	})
	if err != nil {
		return "", err
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case event, open := <-w.ResultChan():
			if !open {
				if time.Since(begun) < time.Second {
					pause(ctx, time.Second)
				}
				return version, nil
			}
			item, known := event.Object.(T)
			switch {
			case event.Type == watch.Error:
				return "", apierrors.FromObject(event.Object)
			case !known:
				continue
			case event.Type != watch.Bookmark && s.matters(item):
				into.apply(event.Type, item)
			}
			version = item.GetResourceVersion()
		}
	}
}

// pause waits, or not, if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Backoff is the pause after n failures in a row: first, doubled each time, at
// most most, spread by a fifth so that many pods do not come back at once.
// No failure gives none.
func Backoff(n int, first, most time.Duration) time.Duration {
	if n <= 0 {
		return 0
	}
	d := most
	if n < 16 {
		d = min(first<<(n-1), most)
	}
	return Jitter(d)
}

// Jitter spreads d by up to a fifth either way.
func Jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
