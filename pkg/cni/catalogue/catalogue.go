// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"
	"net/netip"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Networks lists the networks that can be installed, one a file.
func Networks() []Network {
	return []Network{
		flannel(),
	}
}

// Network is how one network is recognised, installed and found to work.
type Network struct {
	// Name is of the network, of its chart, and of the release.
	Name string
	// Repository and Version are where the chart is taken from, unless the
	// person says otherwise.
	Repository, Version string
	// Namespace is where the release goes; DaemonSet is the agents' in it.
	Namespace, DaemonSet string
	// Sign is how its agents are recognised, whoever installed them.
	Sign facts.Sign
	// Images are the values that name where the images come from.
	Images []string
	// NeedsProxy: it does not do kube-proxy's work.
	NeedsProxy bool
	// Values are those that must agree with the cluster, or a refusal. The
	// person's are given because a cluster may not say everything.
	Values func(cluster facts.Facts, person map[string]any) ([]values.Setting, error)
	// OnNode says what the agent has not yet written on its node; empty if all
	// is there. Nil for an agent that writes nothing there.
	OnNode func(*corev1.Node) string
	// Faults finds what the agents have written that cannot work, Doubts what
	// may not. Either may be nil.
	Faults, Doubts func(Records) []Fault
}

// Records are what the agents of a network have written on their nodes for each
// other, and what is known of how they were told to.
type Records struct {
	Nodes  []*corev1.Node
	Agents *appsv1.DaemonSet
	Pods   []netip.Prefix
}

// Fault is what is wrong, or may be, with the records of one node.
type Fault struct {
	Node, Why string
	// See is a command that shows more, Hint the way out.
	See, Hint string
}

// Find returns the network of a name; the error for one that is not known is of
// class Misused.
func Find(name string) (Network, error) {
	for _, n := range Networks() {
		if n.Name == name {
			return n, nil
		}
	}
	return Network{}, plan.As(plan.Misused, plan.Hint(fmt.Errorf("unknown network %q", name), "known: %s", strings.Join(Names(), ", ")))
}

// Names lists the names of the networks that can be installed.
func Names() []string {
	var names []string
	for _, n := range Networks() {
		names = append(names, n.Name)
	}
	return names
}
