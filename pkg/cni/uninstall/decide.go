// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Uninstallation is what goes and what stays.
type Uninstallation struct {
	CNI     string          `json:"cni"`
	Release release.Release `json:"release,omitzero"`
	// Objects go with the release, Hooks are what its chart runs, Kept what the chart
	// says is to stay.
	Objects []release.Object `json:"objects"`
	Hooks   []string         `json:"hooks,omitempty"`
	Kept    []release.Object `json:"kept,omitempty"`
	// Made are what agents wrote for themselves, Marks what they wrote on Nodes.
	Made  []Made `json:"made,omitempty"`
	Marks []Mark `json:"nodes,omitempty"`
	// Stays is what is left in the API, OnHosts what is left on each host.
	Stays   []string `json:"stays,omitempty"`
	OnHosts []string `json:"onHosts"`
	// Pods are those that lose their network, by controller.
	Pods map[string]int `json:"pods,omitempty"`

	network catalogue.Network
	agents  string // their namespace
	// silent are the nodes whose kubelets do not answer: an agent there does not go.
	silent map[string]bool
}

// Agents are the beginnings of the names of the network's agents, with their namespace, and
// of those of networks that are made of it: while one of either runs on a host, the
// network's things there are in use.
func (u Uninstallation) Agents() []string {
	out := []string{u.agents + "/" + u.network.DaemonSet + "-"}
	for _, sign := range catalogue.ComposedOf(u.network.Name) {
		for _, set := range sign.DaemonSets {
			out = append(out, metav1.NamespaceSystem+"/"+set+"-")
		}
	}
	return out
}

// Mark is what a network has written on a Node.
type Mark struct {
	Node        string   `json:"node"`
	Annotations []string `json:"annotations,omitempty"`
	Taints      []string `json:"taints,omitempty"`
	// Condition says that its condition NetworkUnavailable is this network's word.
	Condition bool `json:"condition,omitempty"`
}

// Nothing says that nothing of the network is there.
func (u Uninstallation) Nothing() bool {
	return u.Release.Revision == 0 && len(u.Made) == 0 && len(u.Marks) == 0
}

// Choose picks the network that is meant: the one that is named, else the only one that
// is there.
func Choose(f facts.Facts, name string) (catalogue.Network, error) {
	if name != "" {
		return catalogue.Find(name)
	}
	var there []string
	for _, n := range catalogue.Networks() {
		namespace, release := n.Home(f)
		if _, runs := f.Network(n.Name); runs || f.Release(namespace, release).Revision > 0 {
			there = append(there, n.Name)
		}
	}
	if len(there) == 1 {
		return catalogue.Find(there[0])
	}
	known := strings.Join(catalogue.Names(), ", ")
	if len(there) == 0 {
		return catalogue.Network{}, plan.Refuse(fmt.Errorf("the cluster has none of the networks %s", known),
			"to take away what one has left in the API, name it: kubectl lifecycle cni uninstall NAME")
	}
	return catalogue.Network{}, plan.Refuse(fmt.Errorf("the cluster has several networks: %s", text.Some(there)), "name one of them")
}

// Decide lists what goes, and is pure. It refuses what would come back, or what no
// release says how to take away, and, unless withPods, a network that pods use.
func Decide(s Seen, withPods bool) (Uninstallation, error) {
	u := Uninstallation{CNI: s.Network.Name, Objects: s.Holds.Objects, Hooks: s.Holds.Hooks, Kept: s.Holds.Kept, Made: s.Made, Pods: s.Pods,
		network: s.Network, agents: s.Network.AgentsIn(s.Network.Namespace)}
	if s.Release.Status != release.Uninstalled {
		u.Release = s.Release
	}
	if err := inUse(s); err != nil {
		return u, err
	}
	if err := s.Network.Untrusted(s.Facts); err != nil {
		return u, err
	}
	there, runs := s.Network.There(s.Facts)
	if runs {
		u.agents = there.Namespace
		if err := foreign(there, u.Release); err != nil {
			return u, err
		}
	}
	if err := holdsMore(s, u); err != nil {
		return u, err
	}
	u.silent = map[string]bool{}
	for _, n := range s.Nodes {
		u.silent[n.Name] = slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown
		})
		if m := markOf(n, s.Network.Leaves); len(m.Annotations)+len(m.Taints) > 0 || m.Condition {
			u.Marks = append(u.Marks, m)
		}
	}
	u.Stays, u.OnHosts = stays(s), onHosts(s.Network.Leaves)
	if n := count(s.Pods); runs && n > 0 && !withPods {
		return u, plan.Refuse(fmt.Errorf("%s in this network (%s): what runs in it could not be started again, and would keep addresses to "+
			"which no route leads", text.Choose(n == 1, "1 pod runs", fmt.Sprintf("%d pods run", n)), text.Some(slices.Sorted(maps.Keys(s.Pods)))),
			"scale them down or drain the nodes first; or go on all the same, and restart them once there is another network: --with-pods")
	}
	return u, nil
}

// inUse refuses a network of which another one is made that the cluster has: its links and
// routes, and what is written on Nodes, are that one's.
func inUse(s Seen) error {
	for _, n := range s.Facts.Networks {
		if slices.Contains(catalogue.PartsOf(n.CNI), s.Network.Name) {
			return plan.Refuse(fmt.Errorf("the cluster has the network %s (daemonset %s/%s), which is made of %s: its pods would lose their network",
				n.CNI, n.Namespace, n.DaemonSet, s.Network.Name),
				"to take %s away, delete it with the manifests that it came from (kubectl delete -f), then run the same command again", n.CNI)
		}
	}
	return nil
}

// foreign refuses a network that something else would put back, or of which no release
// says what it is made of.
func foreign(n facts.Network, r release.Release) error {
	i := slices.IndexFunc(n.Managed, func(m managedby.Release) bool { return m.Tool != managedby.Helm && m.Tool != managedby.Operator })
	if i >= 0 {
		return plan.Refuse(fmt.Errorf("CNI020 error: %s is managed by %s, which would put it back", n.CNI, n.Managed[i]),
			"take it out of there; more: kubectl lifecycle cni explain CNI020")
	}
	if r.Revision == 0 {
		return plan.Refuse(fmt.Errorf("%s was applied as manifests: no release says what it is made of (daemonset %s/%s)", n.CNI, n.Namespace,
			n.DaemonSet),
			"delete it with the manifests that it came from (kubectl delete -f), and run this again for what is left; or have a release made of "+
				"it first: kubectl lifecycle cni install %s --adopt", text.Quote(n.CNI))
	}
	return nil
}

// holdsMore refuses a release whose objects hold what is not the network's: with a
// definition all custom resources of its kind go, and with a namespace all that is in it.
func holdsMore(s Seen, u Uninstallation) error {
	var definitions []string
	for _, o := range u.Objects {
		if o.Resource == "customresourcedefinitions" {
			definitions = append(definitions, o.Name)
		}
	}
	byHelm := text.Command("helm", "uninstall", s.Release.Name, "--namespace", s.Release.Namespace)
	if len(definitions) > 0 {
		return plan.Refuse(fmt.Errorf("release %s holds definitions of custom resources (%s): every resource of these kinds would go with them",
			s.Release.Name, text.Some(definitions)), "keep a copy of what you need; if all of it may go: %s", byHelm)
	}
	for _, namespace := range slices.Sorted(maps.Keys(s.Inside)) {
		return plan.Refuse(fmt.Errorf("release %s holds namespace %s, in which there is more than the release's own: %s",
			s.Release.Name, namespace,
			text.Some(s.Inside[namespace])), "move it elsewhere or delete it; if all of it may go: %s", byHelm)
	}
	return nil
}

// markOf is what a network has written on a Node.
func markOf(n *corev1.Node, l catalogue.Leftovers) Mark {
	m := Mark{Node: n.Name}
	for _, name := range l.Annotations {
		if _, has := n.Annotations[name]; has {
			m.Annotations = append(m.Annotations, name)
		}
	}
	for _, t := range n.Spec.Taints {
		if slices.Contains(l.Taints, t.Key) && !slices.Contains(m.Taints, t.Key) {
			m.Taints = append(m.Taints, t.Key)
		}
	}
	m.Condition = l.Up != "" && slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeNetworkUnavailable && strings.HasPrefix(c.Reason, l.Up)
	})
	return m
}

// stays is what is left in the API, and why.
func stays(s Seen) []string {
	var out []string
	for _, o := range s.Holds.Kept {
		out = append(out, o.Resource+" "+o.Name+": its chart says so")
	}
	if len(s.Network.Leaves.Made) > 0 || len(s.Network.Before.Groups) > 0 || len(s.Network.Leaves.Objects) > 0 {
		out = append(out, "the definitions of its custom resources, and what people wrote of them (policies, pools): kubectl get crd")
	}
	if ns := s.Network.Namespace; ns != "kube-system" && s.Release.Revision > 0 {
		out = append(out, "namespace "+s.Release.Namespace+": "+text.Command("kubectl", "delete", "namespace", s.Release.Namespace))
	}
	return out
}

// onHosts names what is left on each host.
func onHosts(l catalogue.Leftovers) []string {
	out := []string{"files: " + strings.Join(l.Paths, ", "), "links: " + strings.Join(l.Links, ", ")}
	if len(l.Rules) > 0 {
		out = append(out, "packet filter: "+strings.Join(l.Rules, ", "))
	}
	return out
}

func count(pods map[string]int) (n int) {
	for _, c := range pods {
		n += c
	}
	return n
}
