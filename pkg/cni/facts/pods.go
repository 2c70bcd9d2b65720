// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/bulklist"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// maxWaiting bounds how many pods of the networks' own namespaces are kept that do
// not run; the agents' are kept all.
const maxWaiting = 50

// maxStarting bounds how many pods without an address are kept.
const maxStarting = 1000

// maxOwner bounds the name of a controller.
const maxOwner = 300

// Pods is what the pods of a cluster show of its network.
type Pods struct {
	// Networked are those that run with an address of the pod network, Inside
	// those of them whose address the network gives out today on their node.
	Networked int `json:"networked"`
	Inside    int `json:"inside"`
	// Strays are those whose address the network gives out nowhere, by controller,
	// Misplaced those whose address it gives out on other nodes only, by node.
	Strays    []Stray     `json:"strays,omitempty"`
	Misplaced []Misplaced `json:"misplaced,omitempty"`
	// Twins are addresses that several pods have; no more than maxTwins.
	Twins []Twin `json:"twins,omitempty"`
	// Agents are the pods of the agents' DaemonSets, in the order of
	// Facts.Networks; Waiting are other pods of their namespaces that are pending.
	Agents  [][]*corev1.Pod `json:"-"`
	Waiting []*corev1.Pod   `json:"-"`
	// Starting are pods that have a node and no address yet, "namespace/name", with
	// the node; no more than maxStarting.
	Starting map[string]string `json:"-"`
}

// Stray is a controller with pods whose addresses the network does not give out.
type Stray struct {
	Namespace string `json:"namespace"`
	// Owner is "ReplicaSet/web-5d4f", or "Pod/web" for one without a controller.
	Owner string `json:"owner"`
	Pods  int    `json:"pods"`
	// Example is one of their addresses.
	Example string `json:"example"`
}

// ReadPods reads all pods by one request, object after object, so that a large
// cluster is not in memory as a whole.
func ReadPods(ctx context.Context, client kubernetes.Interface, f Facts, o Objects, ofNode OfNode) (Pods, error) {
	count := newCount(f, o, ofNode)
	api := client.CoreV1()
	err := bulklist.Each(ctx, bulklist.Request[corev1.Pod]{
		Resource: "pods", Path: "pods", Wire: api.RESTClient(), Shape: bulklist.Without().
				Within(1, bulklist.WithoutManagers()).Within(2, bulklist.Without(1, 2, 20, 22, 34)),
		List: bulklist.ListOf(api.Pods(metav1.NamespaceAll).List, func(l *corev1.PodList) []corev1.Pod { return l.Items }),
	}, count.add)
	if err != nil {
		return Pods{}, err
	}
	return count.pods(), nil
}

// count adds pods up.
type count struct {
	out Pods
	// ranges are where addresses of pods come from.
	ranges []netip.Prefix
	// agents leads from a DaemonSet's UID to its place, namespaces are theirs.
	agents     map[string]int
	namespaces map[string]bool
	strays     map[[2]string]*Stray
	// places are the nodes of the network, holders who has an address.
	places  map[string]*place
	holders map[netip.Addr]holder
	twins   map[netip.Addr]*Twin
}

func newCount(f Facts, o Objects, ofNode OfNode) *count {
	c := &count{ranges: f.Given(), agents: map[string]int{}, namespaces: map[string]bool{}, strays: map[[2]string]*Stray{},
		places: placesOf(f, o, ofNode), holders: map[netip.Addr]holder{}, twins: map[netip.Addr]*Twin{}}
	c.out.Starting = map[string]string{}
	c.out.Agents = make([][]*corev1.Pod, len(o.Agents))
	for i, set := range o.Agents {
		c.agents[string(set.UID)] = i
		c.namespaces[set.Namespace] = true
	}
	return c
}

// Given are the ranges from which the cluster's networks give their pods addresses:
// their own pools where they say them, else the nodes' pod CIDRs, which lie in the
// cluster's range.
func (f Facts) Given() []netip.Prefix {
	var out []netip.Prefix
	for _, n := range f.Networks {
		out = append(out, n.Setting.Pool...)
	}
	if len(out) > 0 {
		return out
	}
	if len(f.Pods.CIDRs) > 0 {
		return f.Pods.CIDRs
	}
	for _, n := range f.Nodes {
		out = append(out, n.PodCIDRs...)
	}
	return out
}

func (c *count) add(pod *corev1.Pod) {
	owner := metav1.GetControllerOf(pod)
	if owner != nil {
		if i, is := c.agents[string(owner.UID)]; is && owner.Kind == "DaemonSet" {
			c.out.Agents[i] = append(c.out.Agents[i], pod)
			c.places[pod.Spec.NodeName].serve(pod)
			return
		}
	}
	c.waits(pod)
	c.addressed(pod, owner)
}

// waits notes a pod that has not started.
func (c *count) waits(pod *corev1.Pod) {
	if c.namespaces[pod.Namespace] && pod.Status.Phase == corev1.PodPending && len(c.out.Waiting) < maxWaiting {
		c.out.Waiting = append(c.out.Waiting, pod)
	}
	if pod.Status.PodIP == "" && pod.Status.Phase == corev1.PodPending && pod.Spec.NodeName != "" && len(c.out.Starting) < maxStarting {
		c.out.Starting[pod.Namespace+"/"+pod.Name] = pod.Spec.NodeName
	}
}

// addressed counts a pod that has an address of the pod network, and notes whose pods
// have one of another range, of another node, or one that another pod has as well.
func (c *count) addressed(pod *corev1.Pod, owner *metav1.OwnerReference) {
	if pod.Spec.HostNetwork || pod.Status.Phase != corev1.PodRunning {
		return
	}
	all := addressesOf(pod)
	if len(all) == 0 {
		return
	}
	c.out.Networked++
	c.share(pod, all)
	for i, addr := range all {
		if _, has := cidr.Family(c.ranges, addr.Is6()); i > 0 && !has {
			continue // nothing says the range of the second family
		}
		if len(c.ranges) > 0 && !cidr.Contains(c.ranges, cidr.Host(addr)) {
			c.stray(pod, owner, addr)
			return
		}
	}
	c.out.Inside++
	c.places[pod.Spec.NodeName].check(pod, all)
}

// stray notes a pod whose address the network gives out nowhere.
func (c *count) stray(pod *corev1.Pod, owner *metav1.OwnerReference, addr netip.Addr) {
	key := [2]string{pod.Namespace, "Pod/" + pod.Name}
	if owner != nil {
		key[1] = text.Short(owner.Kind+"/"+owner.Name, maxOwner) // the API server takes any text for them
	}
	if c.strays[key] == nil {
		c.strays[key] = &Stray{Namespace: key[0], Owner: key[1], Example: addr.String()}
	}
	c.strays[key].Pods++
}

// pods is the sum, sorted.
func (c *count) pods() Pods {
	for _, s := range c.strays {
		c.out.Strays = append(c.out.Strays, *s)
	}
	slices.SortFunc(c.out.Strays, func(a, b Stray) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Owner, b.Owner))
	})
	byName := func(a, b *corev1.Pod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	}
	c.place()
	slices.SortFunc(c.out.Waiting, byName)
	for _, agents := range c.out.Agents {
		slices.SortFunc(agents, byName)
	}
	return c.out
}
