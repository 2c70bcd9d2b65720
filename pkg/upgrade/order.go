// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"cmp"
	"slices"
	"strings"
)

// Turns are the nodes in the order in which they go.
type Turns struct {
	// Planes go one after another, the one with etcd's leader last, so that it changes once.
	Planes []string
	// Workers go after them, in waves.
	Workers []string
	// Left are the nodes that are left out.
	Left []string
}

// Order puts nodes in order: control planes by name, the one with etcd's leader last, then
// workers by name. Workers that are not Ready are left out. It is pure.
func Order(all []Node, leader string) (t Turns) {
	for _, n := range all {
		switch {
		case n.ControlPlane:
			t.Planes = append(t.Planes, n.Name)
		case n.Ready:
			t.Workers = append(t.Workers, n.Name)
		default:
			t.Left = append(t.Left, n.Name)
		}
	}
	slices.SortFunc(t.Planes, func(a, b string) int {
		return cmp.Or(cmp.Compare(last(a, leader), last(b, leader)), strings.Compare(a, b))
	})
	slices.Sort(t.Workers)
	slices.Sort(t.Left)
	return t
}

func last(name, leader string) int {
	if name == leader {
		return 1
	}
	return 0
}

// Refuge reports whether another node takes the pods of one that is drained: one that is
// Ready, schedulable, and no control plane that takes none. It is pure.
func Refuge(all []Node, name string) bool {
	return slices.ContainsFunc(all, func(n Node) bool { return n.Name != name && n.Ready && !n.Cordoned && !n.Tainted })
}

// MayReturn refuses to take a control plane back to a version while a kubelet is of a newer
// minor: a kubelet must not be newer than any API server. Its own goes back first. It is pure.
func MayReturn(all []Node, name string, from Version) (newer []string) {
	for _, n := range all {
		if n.Name != name && from.MinorsTo(n.Kubelet) > 0 {
			newer = append(newer, n.Name)
		}
	}
	return newer
}
