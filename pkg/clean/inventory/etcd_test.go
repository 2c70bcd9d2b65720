// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// members makes a cluster from words: "a" is healthy, "b!" is not, "c?" is a
// learner, "d*" leads; the first is this host's.
func members(words ...string) inventory.Etcd {
	e := inventory.Etcd{Cluster: "c1", Self: strings.Trim(words[0], "!?*"), DataDir: "/var/lib/etcd"}
	for i, word := range words {
		m := inventory.EtcdMember{ID: strings.Trim(word, "!?*"), RaftIndex: uint64(10 + i)}
		m.Name = m.ID
		if strings.Contains(word, "!") {
			m.Trouble = "does not answer"
		}
		m.Learner, m.Leader = strings.Contains(word, "?"), strings.Contains(word, "*")
		e.Members = append(e.Members, m)
	}
	return e
}

func TestAMemberLeavesOnlyWhereTheOthersKeepTheirQuorum(t *testing.T) {
	for name, tc := range map[string]struct {
		etcd    inventory.Etcd
		refusal string
		heir    string
		through string
		voters  int
	}{
		"the last":                  {etcd: members("a*"), refusal: "only voting member"},
		"the last beside a learner": {etcd: members("a*", "b?"), refusal: "only voting member"},
		"one of two":                {etcd: members("a", "b*"), through: "b", voters: 1},
		"the leader of two":         {etcd: members("a*", "b"), heir: "b", through: "b", voters: 1},
		"the leader of three: the furthest inherits":  {etcd: members("a*", "b", "c"), heir: "c", through: "c", voters: 2},
		"a follower: the leader is asked first":       {etcd: members("a", "b*", "c"), through: "b", voters: 2},
		"a dead one of three":                         {etcd: members("a!", "b*", "c"), through: "b", voters: 2},
		"a dead one of two: no quorum":                {etcd: members("a!", "b"), refusal: "has no quorum: 1 of 2"},
		"a healthy one of three with a dead one":      {etcd: members("a*", "b", "c!"), refusal: "would have no quorum: 1 of 2"},
		"a healthy one of five with a dead one":       {etcd: members("a", "b*", "c", "d", "e!"), through: "b", voters: 4},
		"a healthy one of five with two dead":         {etcd: members("a", "b*", "c", "d!", "e!"), refusal: "would have no quorum: 2 of 4"},
		"a healthy one of four with a dead one":       {etcd: members("a", "b*", "c", "d!"), through: "b", voters: 3},
		"three dead of five: nobody can be taken out": {etcd: members("a", "b*", "c!", "d!", "e!"), refusal: "has no quorum: 2 of 5"},
		"a learner":                 {etcd: members("a?", "b*"), through: "b", voters: 1},
		"a learner that is no help": {etcd: members("a*", "b", "c?"), heir: "b", through: "b", voters: 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.etcd.Departure()
			if tc.refusal != "" {
				if err == nil || !strings.Contains(err.Error(), tc.refusal) || plan.HintOf(err) == "" || plan.ClassOf(err) != plan.Refused {
					t.Fatalf("got %v, hint %q", err, plan.HintOf(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			heir := ""
			if got.Heir != nil {
				heir = got.Heir.ID
			}
			if heir != tc.heir || got.Through[0].ID != tc.through || got.Voters != tc.voters {
				t.Errorf("got %+v", got)
			}
			if slices.ContainsFunc(got.Through, func(m inventory.EtcdMember) bool { return m.ID == tc.etcd.Self || m.Trouble != "" || m.Learner }) {
				t.Errorf("through %v", got.Through)
			}
		})
	}
}

func TestAStrangerToItsClusterDoesNotLeaveIt(t *testing.T) {
	e := members("a", "b")
	e.Self = ""
	if _, err := e.Departure(); err == nil || !strings.Contains(err.Error(), "no member of this host") {
		t.Errorf("got %v", err)
	}
}
