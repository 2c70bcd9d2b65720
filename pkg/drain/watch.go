// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// renewWatch is how long a watch lives before it is opened anew, a few minutes
// as in client-go's reflectors.
const renewWatch = 7 * time.Minute

// mirror holds the objects of one kind as the server last told them, by UID,
// so that a new object of an old name is never taken for the old one.
type mirror[T metav1.Object] struct {
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

func newMirror[T metav1.Object](wake func()) *mirror[T] {
	return &mirror[T]{items: map[types.UID]T{}, wake: wake}
}

func (m *mirror[T]) get(uid types.UID) (T, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	item, ok := m.items[uid]
	return item, ok
}

func (m *mirror[T]) all() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]T, 0, len(m.items))
	for _, item := range m.items {
		out = append(out, item)
	}
	return out
}

// news returns what was heard since the last call, deletions included.
func (m *mirror[T]) news() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	heard := m.heard
	m.heard = nil
	return heard
}

// state says whether the first list has arrived, and what is wrong if the last
// request failed.
func (m *mirror[T]) state() (synced bool, trouble error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.synced, m.trouble
}

func (m *mirror[T]) replace(items []T) {
	m.change(func() {
		m.items = make(map[types.UID]T, len(items))
		for _, item := range items {
			m.items[item.GetUID()] = item
		}
		m.heard = append(m.heard, items...)
		m.synced, m.trouble = true, nil
	})
}

func (m *mirror[T]) apply(kind watch.EventType, item T) {
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

func (m *mirror[T]) fail(err error) { m.change(func() { m.trouble = err }) }

func (m *mirror[T]) change(do func()) {
	m.mu.Lock()
	do()
	m.mu.Unlock()
	m.wake()
}

// source lists and watches one kind of object.
type source[T metav1.Object] struct {
	resource string
	query    metav1.ListOptions
	// keep says which objects matter; nil means all.
	keep  func(T) bool
	list  func(context.Context, metav1.ListOptions) (items []T, meta metav1.ListMeta, err error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

func (s source[T]) matters(item T) bool { return s.keep == nil || s.keep(item) }

// follow keeps the mirror up to date until ctx ends. Without the permission to
// do so it ends with that error; every other failure is tried again.
func (s source[T]) follow(ctx context.Context, into *mirror[T]) error {
	failures := 0
	for ctx.Err() == nil {
		all, version, err := s.read(ctx)
		if err == nil {
			into.replace(all)
		}
		for err == nil {
			failures = 0
			version, err = s.stream(ctx, version, into)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case apierrors.IsForbidden(err):
			return unreadWatch(err, s.resource)
		case !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err):
			failures++
			into.fail(err)
		}
		// A version that the server cannot serve is not asked for twice.
		s.query.ResourceVersion, s.query.ResourceVersionMatch = "", ""
		pause(ctx, backoff(failures, 500*time.Millisecond, 15*time.Second))
	}
	return nil
}

// read lists everything that matters, and returns the version of the list.
func (s source[T]) read(ctx context.Context) (all []T, version string, err error) {
	err = pages(s.query, func(query metav1.ListOptions) (string, error) {
		items, meta, err := s.list(ctx, query)
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
func (s source[T]) stream(ctx context.Context, version string, into *mirror[T]) (string, error) {
	seconds, begun := int64(renewWatch.Seconds()), time.Now()
	w, err := s.watch(ctx, metav1.ListOptions{
		FieldSelector:       s.query.FieldSelector,
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
