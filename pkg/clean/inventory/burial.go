// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Burial is what a surviving control plane is asked to do about the etcd member of
// a host that is dead.
type Burial struct {
	Order
	// Host is the dead host's node name, by which kubeadm calls its member, and
	// Addresses are its addresses.
	Host      string   `json:"host"`
	Addresses []string `json:"addresses"`
}

// Buried is what came of it.
type Buried struct {
	// Member is the one that was taken out; zero if there was none, and Cluster
	// the etcd cluster; empty if this host has no member of one.
	Cluster string     `json:"cluster,omitempty"`
	Member  EtcdMember `json:"member,omitzero"`
}

// Burial finds the member of a dead host, by its name and by its address, and
// says whether it may be taken out. It refuses one that is alive, and a cluster
// that has no quorum to agree on it. Nil without an error is a cluster that has
// no member of that host.
func (e Etcd) Burial(b Burial) (*EtcdMember, error) {
	var found []EtcdMember
	var voters, healthy int
	for _, m := range e.Members {
		if !m.Learner {
			voters++
			if m.Trouble == "" {
				healthy++
			}
		}
		at, err := url.Parse(m.URL)
		if m.Name == b.Host || err == nil && slices.Contains(b.Addresses, at.Hostname()) {
			found = append(found, m)
		}
	}
	switch {
	case len(found) == 0:
		return nil, nil
	case len(found) > 1:
		return nil, plan.Refuse(fmt.Errorf("etcd's members %s and %s could both be that of %s", found[0].ID, found[1].ID, b.Host),
			"compare them: etcdctl member list")
	}
	m := found[0]
	switch {
	case m.ID == e.Self:
		return nil, plan.Refuse(fmt.Errorf("member %s (%s) is that of the host that was asked", m.Name, m.ID),
			"compare the members: etcdctl member list")
	case m.Trouble == "":
		return nil, plan.Refuse(fmt.Errorf("%s is not dead: its etcd member answers (%s)", b.Host, m.URL),
			"without --node-lost it is drained and its host is cleaned; if it is to be given up all the same, switch it off first")
	case healthy <= voters/2:
		return nil, plan.Refuse(fmt.Errorf("the etcd cluster has no quorum: %d of %d voting members are healthy", healthy, voters),
			"bring others back first, or restore etcd from a snapshot; see: etcdctl endpoint health --cluster")
	}
	return &m, nil
}

// String is a member as a sentence names it.
func (m EtcdMember) String() string {
	return strings.TrimSpace(m.Name + " (" + m.ID + ")")
}
