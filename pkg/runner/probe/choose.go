// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// MostNodes is how many nodes one probe may send packets between: each takes a pod,
// and 10 MB through the API server.
const MostNodes = 50

// Skipped is a node that no packet is sent from, and why.
type Skipped struct {
	Node string `json:"node"`
	Why  string `json:"why"`
	// OfNetwork says that it is the network which the node lacks.
	OfNetwork bool `json:"ofNetwork,omitempty"`
}

// choose picks the nodes to be probed: those that are named, else at most so many of
// those that are Ready and run Linux, one of each zone first. What is left out for a
// reason of its own is named. It is pure.
func choose(all []corev1.Node, named []string, most int) ([]*corev1.Node, []Skipped, error) {
	var able []*corev1.Node
	var skipped []Skipped
	linux := slices.DeleteFunc(kube.Pointers(all), func(n *corev1.Node) bool { return n.Labels[corev1.LabelOSStable] == "windows" })
	slices.SortFunc(linux, func(a, b *corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	for _, n := range linux {
		if len(named) > 0 && !slices.Contains(named, n.Name) {
			continue
		}
		if left := unfit(n); left.Why != "" {
			skipped = append(skipped, left)
			continue
		}
		able = append(able, n)
	}
	for _, name := range named {
		if !slices.ContainsFunc(linux, func(n *corev1.Node) bool { return n.Name == name }) {
			return nil, nil, plan.Refuse(fmt.Errorf("there is no node %s that runs Linux", name), "kubectl get nodes shows them")
		}
	}
	switch {
	case len(linux) == 0:
		return nil, nil, plan.Refuse(errors.New("there is no node that runs Linux"), "kubectl get nodes shows them")
	case len(named) > 0:
		return able, skipped, nil
	}
	return spread(able, most), skipped, nil
}

// unfit says why nothing is sent from a node now; no reason if something is.
func unfit(n *corev1.Node) Skipped {
	s := Skipped{Node: n.Name}
	c := kube.ReadyCondition(n)
	switch {
	case n.DeletionTimestamp != nil:
		s.Why = "it is being deleted"
	case c == nil || c.Status == corev1.ConditionUnknown:
		s.Why = "its kubelet does not answer"
	case c.Status != corev1.ConditionTrue:
		s.Why = "it is not Ready: " + c.Message
		message := strings.ToLower(c.Reason + " " + c.Message)
		s.OfNetwork = strings.Contains(message, "network") || strings.Contains(message, "cni")
	}
	return s
}

// spread takes nodes in turns from each zone.
func spread(able []*corev1.Node, most int) []*corev1.Node {
	var zones []string
	by := map[string][]*corev1.Node{}
	for _, n := range able {
		zone := n.Labels[corev1.LabelTopologyZone]
		if by[zone] == nil {
			zones = append(zones, zone)
		}
		by[zone] = append(by[zone], n)
	}
	var out []*corev1.Node
	for i := 0; len(out) < min(most, len(able)); i++ {
		for _, zone := range zones {
			if i < len(by[zone]) && len(out) < most {
				out = append(out, by[zone][i])
			}
		}
	}
	return out
}

// fewNodes is up to how many nodes every pair of them is tried.
const fewNodes = 6

// between lists which of n nodes send to which: all to all of a few; of more, each to
// the next two and back, so that the number of pairs grows with that of the nodes and
// every node still sends to four others. It is pure.
func between(n int) (pairs [][2]int) {
	for a := range n {
		if n <= fewNodes {
			for b := range n {
				if a != b {
					pairs = append(pairs, [2]int{a, b})
				}
			}
			continue
		}
		for _, step := range []int{1, 2} {
			b := (a + step) % n
			pairs = append(pairs, [2]int{a, b}, [2]int{b, a})
		}
	}
	return pairs
}
