// SPDX-License-Identifier: Apache-2.0

package part

import (
	"sync"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// Memory is what one look at a host has read: parts know nothing of each other, and
// many ask for the same. It is for a look that changes nothing and lasts a second: a
// step that changes the host has none, and reads everything when it needs it.
type Memory struct {
	lock sync.Mutex
	held map[string]func() (any, error)
}

// once reads something on a host's first request, and returns the same for the others;
// without a memory it reads each time. What it returns is not to be changed.
func once[T any](m *Memory, what string, read func() (T, error)) (T, error) {
	if m == nil {
		return read()
	}
	m.lock.Lock()
	if m.held == nil {
		m.held = map[string]func() (any, error){}
	}
	if m.held[what] == nil {
		m.held[what] = sync.OnceValues(func() (any, error) { return read() })
	}
	held := m.held[what]
	m.lock.Unlock() // what is read may need something else that is
	value, err := held()
	out, _ := value.(T)
	return out, err
}

// Mounts are the mounts of the host.
func (t Host) Mounts() ([]host.Mount, error) { return once(t.Memory, "mounts", t.Local.Mounts) }

// Once reads something that several parts of a look need, by a name that is unique.
func Once[T any](t Host, what string, read func() (T, error)) (T, error) {
	return once(t.Memory, what, read)
}
