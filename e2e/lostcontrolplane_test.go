// SPDX-License-Identifier: Apache-2.0

//go:build e2e && chaos

package e2e

import (
	"slices"
	"testing"
)

// TestLostControlPlane: of three control planes one dies. It is given up: its
// member is taken out through another; and when its host comes back after all,
// the program alone cleans it.
func TestLostControlPlane(t *testing.T) {
	b := newBed(t)
	b.ears = listen(t, b.client)
	b.fresh(t)
	if b.node(t, b.blank) != nil {
		b.must(t, "remove", b.blank, "--yes", "--force")
	}
	other := b.anotherCluster(t)
	other.joinControlPlane(t)
	third := *other
	third.blank = b.name + "-more"
	b.makeBlank(t, third.blank)
	third.pristine = third.settled(t, third.blank)
	third.joinControlPlane(t)
	if got := other.etcdMembers(t); len(got) != 3 {
		t.Fatalf("members of etcd: %v", got)
	}
	other.refuses(t, "", refusal{"a control plane that lives is not given up", []string{"remove", third.blank, "--node-lost", "--yes"}, 4,
		[]string{"is not lost"}, nil})
	third.freeze(t)
	o := other.must(t, "remove", third.blank, "--node-lost", "--yes", "--timeout", "3m", "-o", "json")
	b.took("remove --node-lost of a control plane", o.took)
	o.says(t, "has left the etcd cluster")
	if got := other.etcdMembers(t); len(got) != 2 || slices.Contains(got, third.blank) {
		t.Errorf("members of etcd: %v", got)
	}
	if other.node(t, third.blank) != nil {
		t.Error("the Node is still there")
	}
	third.thaw(t)
	third.cleansItself(t, o.stdout)
	if got := other.etcdMembers(t); len(got) != 2 {
		t.Errorf("members of etcd in the end: %v", got)
	}
	other.must(t, "remove", b.blank, "--yes", "--force", "--delete-emptydir-data")
	b.isPristine(t, b.blank, b.pristine)
}
