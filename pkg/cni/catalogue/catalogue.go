// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"errors"
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
		cilium(),
		calico(),
		flannel(),
		antrea(),
		kubeOVN(),
	}
}

// Network is how one network is recognised, installed and found to work.
type Network struct {
	// Name is of the network and of its release.
	Name string
	// Chart is the chart's name, if it is another.
	Chart string
	// Repository and Version are where the chart is taken from, unless the
	// person says otherwise; Registry is the same chart as an OCI reference.
	Repository, Registry, Version string
	// Tested are lines of charts, newest first, with their Kubernetes versions.
	Tested []Tested
	// Before is a chart that has to be applied before it; the zero value is none.
	Before Prerequisite
	// OneMinor: its project wants an upgrade to go through every minor version.
	OneMinor bool
	// Namespace is where the release goes; DaemonSet is the agents' in it, or in
	// AgentNamespace if an operator makes another.
	Namespace, DaemonSet, AgentNamespace string
	// Sign is how its agents are recognised, however they were installed.
	Sign facts.Sign
	// Images are the values that name where images come from. Mirrored adds those
	// by which an operator learns it; nil if there are none. Made lists the images
	// of what an operator makes, which no rendered chart names; nil for none.
	Images   []Image
	Mirrored func(through func(string) string) []values.Setting
	Made     func(version string) []string
	// PullSecrets is the value that names the Secrets to pull images with.
	PullSecrets PullSecrets
	// NeedsProxy: it does not do kube-proxy's work.
	NeedsProxy bool
	// Values are those that must agree with the cluster, or a refusal. The
	// person's are given because a cluster may not say everything.
	Values func(cluster facts.Facts, person map[string]any) ([]values.Setting, error)
	// Reads says what the values of a chart make of the network; nil if nothing that
	// could be wrong with it.
	Reads func(given map[string]any) Chosen
	// Fixed are values that a running network keeps: its pods have their
	// addresses by them.
	Fixed []Fixed
	// Labels are those that nodes have to have.
	Labels []NodeLabel
	// Workloads and Conditions are waited for beside the agents.
	Workloads  []Workload
	Conditions []Condition
	// Host is what it wants of each host, Leaves what it leaves there.
	Host   Host
	Leaves Leftovers
	// OnNode says what the agent has not yet written on its node; empty if all
	// is there. Nil for an agent that writes nothing there.
	OnNode func(*corev1.Node) string
	// Faults finds what the agents have written that cannot work, Doubts what
	// may not. Either may be nil.
	Faults, Doubts func(Records) []Fault
}

// Image is a value that names where an image comes from, whole or its beginning.
type Image struct {
	Path string
	// From is the chart's own: "quay.io/cilium/cilium".
	From string
}

// Prerequisite is a chart of definitions, applied as it is and never made a release:
// it is larger than the record of a release may be.
type Prerequisite struct {
	Chart, Repository, Registry string
	// Since is the first version of the network's own chart that wants it; it has the
	// same version.
	Since string
	// Groups are those of the kinds that it defines.
	Groups []string
}

// PullSecrets is the form in which a chart wants the names of Secrets.
type PullSecrets struct {
	// Path is of the value: "imagePullSecrets".
	Path string
	// Names says that it is a list of names; else it is one of objects with a
	// name, as in a pod.
	Names bool
}

// Fixed is a value that is never changed in a running network.
type Fixed struct {
	Path string
	// Default is the chart's own, which a release without the value runs with.
	Default any
	// Running reads it from the running network's own configuration, and is nil or
	// returns nil where that does not say it.
	Running func(facts.Setting) any
}

// NodeLabel is one that nodes have to have before the network is installed.
type NodeLabel struct{ Key, On, Why string }

// ChartName is the chart's name.
func (n Network) ChartName() string {
	if n.Chart != "" {
		return n.Chart
	}
	return n.Name
}

// AgentsIn is the namespace of the agents of a release in another.
func (n Network) AgentsIn(releaseNamespace string) string {
	if n.AgentNamespace != "" {
		return n.AgentNamespace
	}
	return releaseNamespace
}

// Home is where the release of a network is, or would be.
func (n Network) Home(f facts.Facts) (namespace, name string) {
	if there, ok := n.There(f); ok && there.Release != "" {
		return there.ReleaseNamespace, there.Release
	}
	return n.Namespace, n.Name
}

// There are the agents of the network, if a cluster has them: of several those in a
// namespace of administrators, or else in that of the network's own project.
func (n Network) There(f facts.Facts) (facts.Network, bool) {
	found, ok := f.Network(n.Name)
	if ok && f.MayTrust(found.Namespace) {
		return found, true
	}
	for _, other := range f.Networks {
		if other.CNI == n.Name && n.owns(other.Namespace) {
			return other, true
		}
	}
	return found, ok
}

// owns reports whether a namespace is that of the network's own project.
func (n Network) owns(namespace string) bool {
	return namespace == n.Namespace || namespace == n.AgentNamespace
}

// Untrusted refuses (class Refused) to change a network whose agents, or whose release,
// are where others than administrators may have made them: neither in a namespace of
// administrators nor in that of the network's own project.
func (n Network) Untrusted(f facts.Facts) error {
	if there, ok := n.There(f); ok && !n.owns(there.Namespace) {
		if err := f.Untrusted("daemonset "+there.Namespace+"/"+there.DaemonSet, there.Namespace); err != nil {
			return err
		}
	}
	namespace, name := n.Home(f)
	if n.owns(namespace) || f.Release(namespace, name).Revision == 0 {
		return nil
	}
	return f.Untrusted("release "+namespace+"/"+name, namespace)
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
// class Misused, that for one that should not be installed is of class Refused.
func Find(name string) (Network, error) {
	for _, n := range Networks() {
		if n.Name == name {
			return n, nil
		}
	}
	known := strings.Join(Names(), ", ")
	if why := ended(name); why != "" {
		return Network{}, plan.Refuse(errors.New(why), "install one that is maintained: %s", known)
	}
	return Network{}, plan.As(plan.Misused, plan.Hint(fmt.Errorf("unknown network %q", name), "known: %s", known))
}

// ended says why a network that is known is not installed.
func ended(name string) string {
	if name == "weave" {
		return "weave has had no release since 2.8.1 of January 2021: its company closed in 2024, and its repository is archived"
	}
	return ""
}

// Names lists the names of the networks that can be installed.
func Names() []string {
	var names []string
	for _, n := range Networks() {
		names = append(names, n.Name)
	}
	return names
}
