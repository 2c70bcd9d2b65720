// SPDX-License-Identifier: Apache-2.0

package part

import (
	"path/filepath"
	"sync"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// Memory is what one look at a host has read: parts know nothing of each other, and
// many ask for the same. It is for a look that changes nothing and lasts a second: a
// step that changes the host has none, and reads everything when it needs it.
type Memory struct {
	lock sync.Mutex
	held map[string]func() (any, error)
	// going are the files and directories that the parts before have found to go, each with
	// all that is in it.
	going map[string]bool
}

// Found tells the parts that follow which files and directories go, by the paths that they
// were found by and without the links in these.
func (t Host) Found(items []inventory.Item) {
	m := t.Memory
	if m == nil {
		return
	}
	var paths []string
	for _, it := range items {
		file := it.Kind == inventory.KindFile || it.Kind == inventory.KindDir
		if file && it.Fate == inventory.Goes && it.Manner != inventory.IfEmpty {
			paths = append(paths, it.Name, filepath.Join(t.Resolve(filepath.Dir(it.Name)), filepath.Base(it.Name)))
		}
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.going == nil {
		m.going = map[string]bool{}
	}
	for _, path := range paths {
		m.going[path] = true
	}
}

// Going reports whether a part before has found that a file or directory goes, with all
// that is in it. What is in one that goes is not asked.
func (m *Memory) Going(path string) bool {
	if m == nil {
		return false
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.going[path]
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
