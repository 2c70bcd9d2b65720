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
