// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"slices"
	"strings"
)

// Kind is a kind of thing that is left on a host.
type Kind string

// The kinds. Stages says when each is removed.
const (
	KindMember    Kind = "etcd-member"   // Name: the member's; ID: its number; In: its cluster; Detail: "leader, 3 of 3 …"
	KindUnit      Kind = "unit"          // Name: kubelet.service; Detail: "active, enabled"
	KindSandbox   Kind = "sandbox"       // Name: namespace/pod; ID: the sandbox's
	KindContainer Kind = "container"     // Name: namespace/pod/container; ID: the container's
	KindProcess   Kind = "process"       // Name: command; ID: pid; In: its cgroup
	KindLoop      Kind = "loop-device"   // Name: /dev/loop7; In: the block volume that it is on
	KindBlock     Kind = "block-device"  // Name: /dev/rbd0; In: the file behind it, if one is; Detail: how it is attached
	KindMount     Kind = "mount"         // Name: where; Detail: class and source
	KindNetNS     Kind = "netns"         // Name: /run/netns/…
	KindProgram   Kind = "bpf-program"   // Name: cil_from_netdev; In: "tc ingress of eth0"
	KindLink      Kind = "link"          // Name: cni0; Detail: kind and addresses; In: its bridge
	KindAddress   Kind = "address"       // Name: 10.244.1.1/32; In: its link
	KindRoute     Kind = "route"         // Name: as `ip route` prints it
	KindRule      Kind = "rule"          // Name: as `ip rule` prints it
	KindIPsec     Kind = "ipsec"         // Name: a policy or association as `ip xfrm` would have it, without keys
	KindTable     Kind = "table"         // Name: "nft ip kube-proxy"; of mixed ones: how much is foreign
	KindChain     Kind = "chain"         // Name: "KUBE-SERVICES"; In: "nft ip nat", "legacy ip nat"
	KindJump      Kind = "jump"          // Name: "PREROUTING → KUBE-SERVICES"; In: as of a chain
	KindFilter    Kind = "filter-rule"   // a foreign one; Name: as iptables-save prints it, or "INPUT handle 7"; In: as of a chain
	KindIPSet     Kind = "ipset"         // Name: KUBE-CLUSTER-IP
	KindVirtual   Kind = "ipvs"          // Name: "tcp 10.96.0.1:443"
	KindPin       Kind = "bpf-pin"       // Name: /sys/fs/bpf/…
	KindCgroup    Kind = "cgroup"        // Name: /sys/fs/cgroup/…
	KindFile      Kind = "file"          // Name: its path
	KindDir       Kind = "directory"     // Name: its path; Detail: how much is in it
	KindFlags     Kind = "kubelet-flags" // Name: the file; Detail: those that hold for a cluster
	KindSysctl    Kind = "sysctl"        // Name: net.ipv4.ip_forward; Detail: its value
)

// Owner is who made a thing.
type Owner string

// The owners. Foreign is everybody else.
const (
	Foreign    Owner = "foreign"
	Kubelet    Owner = "kubelet"
	Kubeadm    Owner = "kubeadm"
	KubeProxy  Owner = "kube-proxy"
	Runtime    Owner = "runtime" // the container runtime, on behalf of the kubelet
	CNIPlugins Owner = "cni-plugins"
	Flannel    Owner = "flannel"
	Calico     Owner = "calico"
	Cilium     Owner = "cilium"
	KubeRouter Owner = "kube-router"
	Antrea     Owner = "antrea"
	KubeOVN    Owner = "kube-ovn"
	Weave      Owner = "weave"
	Kilo       Owner = "kilo"
	NodeDNS    Owner = "nodelocaldns"
	// Plugins beside a pod network, and networks that are known by nothing but
	// that they lead to the cluster.
	Multus      Owner = "multus"
	Istio       Owner = "istio"
	Linkerd     Owner = "linkerd"
	Whereabouts Owner = "whereabouts"
	Submariner  Owner = "submariner"
	PodNetwork  Owner = "pod-network"
	Lifecycle   Owner = "kubectl-lifecycle" // our own hold on the kubelet
)

// Fate is what a removal does with a thing.
type Fate string

// The fates.
const (
	// Goes: a removal takes it away, and a verdict is not clean while it is there.
	Goes Fate = "goes"
	// Stays: not ours, or not ours to take; Why says so.
	Stays Fate = "stays"
	// Harmless: ours or unclear, empty, and without effect; it may stay.
	Harmless Fate = "harmless"
	// Reboot: it ends with the next boot and not before.
	Reboot Fate = "reboot"
)

// Item is one thing on a host.
type Item struct {
	Kind Kind `json:"kind"`
	// Name and In tell it from the others of its kind; In is what it is part
	// of (a table, a bridge) and often empty.
	Name string `json:"name"`
	In   string `json:"in,omitempty"`
	// ID is the runtime's or kernel's number of it, if that is worth showing.
	ID string `json:"id,omitempty"`
	// Detail is for people: the class and source of a mount, the kind of a
	// link, the state of a unit.
	Detail string `json:"detail,omitempty"`
	Owner  Owner  `json:"owner"`
	Fate   Fate   `json:"fate"`
	// Turn and Manner say when and how it goes, if it is not deleted in the turn of its
	// kind; Original is the name that a file gets back.
	Turn     Turn   `json:"turn,omitempty"`
	Manner   Manner `json:"manner,omitempty"`
	Original string `json:"original,omitempty"`
	// Why says why a thing stays, or is harmless; empty for what goes.
	Why string `json:"why,omitempty"`
	// Refers says how a thing that stays still refers to the cluster, or may:
	// a verdict names it. Empty for everything else.
	Refers string `json:"refers,omitempty"`
	// Personal says why a thing that goes may be a person's own; the backup has it. Empty for
	// everything else.
	Personal string `json:"personal,omitempty"`
	// Count is how many things it stands for, where that is not one: those that are too many to
	// name.
	Count int `json:"count,omitempty"`
	// Digest is a hash of a foreign thing's content without its counters, so
	// that two inventories show whether it is unchanged; empty if not taken.
	Digest string `json:"digest,omitempty"`
}

// Things is how many things some items stand for.
func Things(items []Item) int {
	n := 0
	for _, it := range items {
		n += max(it.Count, 1)
	}
	return n
}

// NotLookedAt begins what Item.Refers says of something that a look has left out.
const NotLookedAt = "not looked at: "

// Unseen reports whether a thing was left out of a look, so that nothing is known of it.
func (i Item) Unseen() bool { return strings.HasPrefix(i.Refers, NotLookedAt) }

// Key names an item across two inventories of one host.
func (i Item) Key() string { return string(i.Kind) + " " + i.In + " " + i.Name }

// String is the item as a sentence names it: "link cni0".
func (i Item) String() string {
	if i.In == "" {
		return string(i.Kind) + " " + i.Name
	}
	return string(i.Kind) + " " + i.Name + " (" + i.In + ")"
}

// Unchecked is a part of the host that could not be read.
type Unchecked struct {
	Kind Kind   `json:"kind"`
	What string `json:"what"`
	Why  string `json:"why"`
}

// Inventory is what Kubernetes, its network, and others have on a host.
type Inventory struct {
	Hostname  string `json:"hostname"`
	MachineID string `json:"machineID,omitempty"`
	BootID    string `json:"bootID,omitempty"`
	// Items are sorted by kind (in the order of removal), In, Name and ID.
	Items []Item `json:"items"`
	// Unchecked are the parts that could not be read, sorted.
	Unchecked []Unchecked `json:"unchecked,omitempty"`
	// Etcd is the etcd cluster of a control plane that runs a member of it.
	Etcd *Etcd `json:"etcd,omitempty"`
	// Blocking is what kubeadm's own checks would refuse a join for now, and
	// leftovers that break a pod network later; sentences, sorted.
	Blocking []string `json:"blocking,omitempty"`
	// Objection is why this host would not be cleaned as it is, and WayOut what to do
	// about it; empty if it would be.
	Objection string `json:"objection,omitempty"`
	WayOut    string `json:"wayOut,omitempty"`
}

// Ours are the items that a removal takes away.
func (inv Inventory) Ours() []Item { return inv.With(Goes) }

// With returns the items of one fate, in the inventory's order.
func (inv Inventory) With(fate Fate) []Item {
	var out []Item
	for _, it := range inv.Items {
		if it.Fate == fate {
			out = append(out, it)
		}
	}
	return out
}

// Sort puts an inventory in its one order.
func (inv *Inventory) Sort() {
	order := make(map[Kind]int)
	for n, k := range kinds() {
		order[k] = n
	}
	slices.SortStableFunc(inv.Items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(order[a.Kind], order[b.Kind]), cmp.Compare(a.In, b.In),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(inv.Unchecked, func(a, b Unchecked) int {
		return cmp.Or(cmp.Compare(order[a.Kind], order[b.Kind]), cmp.Compare(a.What, b.What), cmp.Compare(a.Why, b.Why))
	})
	slices.Sort(inv.Blocking)
}
