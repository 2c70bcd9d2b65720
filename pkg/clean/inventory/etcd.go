// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Etcd is the cluster of which a control plane's host has a member of its own.
type Etcd struct {
	// Cluster is the cluster's number in hexadecimal, as etcdctl prints it.
	Cluster string `json:"cluster"`
	// Self is the number of this host's member; empty if the cluster does not
	// have it any more.
	Self string `json:"self,omitempty"`
	// DataDir is where its data is.
	DataDir string `json:"dataDir"`
	// Members are all of them, by name.
	Members []EtcdMember `json:"members"`
}

// EtcdMember is one member, and how it was when it was asked.
type EtcdMember struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// URL is where clients reach it; empty for one that has never started.
	URL string `json:"url,omitempty"`
	// Learner has no vote.
	Learner bool `json:"learner,omitempty"`
	Leader  bool `json:"leader,omitempty"`
	// Trouble is why it counts for nothing: it does not answer, has no leader,
	// or raises an alarm. Empty for a healthy one.
	Trouble string `json:"trouble,omitempty"`
	// RaftIndex is how far it has come; the furthest is the best new leader.
	RaftIndex uint64 `json:"raftIndex,omitempty"`
}

// Departure is how a member leaves.
type Departure struct {
	Member EtcdMember
	// Through are the survivors that may be asked to let it go, the best first.
	Through []EtcdMember
	// Heir becomes the leader before; nil if the member does not lead.
	Heir *EtcdMember
	// Voters is how many votes there are afterwards.
	Voters int
}

// Departure says how this host's member leaves, or refuses: the last one, one
// without which the others have no quorum, one of a cluster that has none now.
// Learners count for nothing, unhealthy members count against the quorum
// (raft's majority: more than half of the voting members).
func (e Etcd) Departure() (Departure, error) {
	at := slices.IndexFunc(e.Members, func(m EtcdMember) bool { return m.ID == e.Self })
	if at < 0 {
		return Departure{}, plan.Refuse(fmt.Errorf("the etcd cluster %s has no member of this host", e.Cluster),
			"see which it has: etcdctl member list")
	}
	d := Departure{Member: e.Members[at]}
	var voters, healthy int
	var ill []string
	for _, m := range e.Members {
		switch {
		case m.Learner:
			continue
		case m.Trouble == "":
			healthy++
		default:
			ill = append(ill, fmt.Sprintf("%s (%s)", m.Name, m.Trouble))
		}
		voters++
		if m.ID != e.Self {
			d.Voters++
			if m.Trouble == "" {
				d.Through = append(d.Through, m)
			}
		}
	}
	const heal = "bring them back first, or take out one that is gone for good; see: etcdctl endpoint health --cluster"
	switch {
	case d.Voters == 0:
		return d, plan.Refuse(fmt.Errorf("%s is the only voting member of its etcd cluster: with it, all data would be gone", d.Member.Name),
			"join another control-plane node first")
	case healthy <= voters/2:
		return d, plan.Refuse(fmt.Errorf("the etcd cluster has no quorum: %d of %d voting members are healthy; not %s", healthy, voters,
			strings.Join(ill, ", ")), heal)
	case len(d.Through) <= d.Voters/2:
		return d, plan.Refuse(fmt.Errorf("without %s the etcd cluster would have no quorum: %d of %d voting members would be healthy; not %s",
			d.Member.Name, len(d.Through), d.Voters, strings.Join(ill, ", ")), heal)
	}
	slices.SortStableFunc(d.Through, func(a, b EtcdMember) int {
		if a.Leader || b.Leader {
			return cmp.Compare(rank(a), rank(b))
		}
		return cmp.Or(cmp.Compare(b.RaftIndex, a.RaftIndex), strings.Compare(a.Name, b.Name))
	})
	if d.Member.Leader {
		d.Heir = &d.Through[0]
	}
	return d, nil
}

// rank puts the leader first.
func rank(m EtcdMember) int {
	if m.Leader {
		return 0
	}
	return 1
}

// Detail is the member as an inventory shows it.
func (e Etcd) Detail() string {
	voters, healthy, role := 0, 0, "follower"
	for _, m := range e.Members {
		if !m.Learner {
			voters++
			if m.Trouble == "" {
				healthy++
			}
		}
		if m.ID != e.Self {
			continue
		}
		switch {
		case m.Leader:
			role = "leader"
		case m.Learner:
			role = "learner"
		}
	}
	return fmt.Sprintf("%s, %d of %d voting members healthy", role, healthy, voters)
}
