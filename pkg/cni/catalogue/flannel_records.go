// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// flannelPrefix begins the names of flannel's annotations on a node.
const flannelPrefix = "flannel.alpha.coreos.com/"

const (
	seeRecords = "kubectl get nodes -o yaml"
	ifaceHint  = "flannel takes the interface of the default route unless it is told: --set " +
		"'flannel.args={--ip-masq,--kube-subnet-mgr,--iface=eth1}'"
	twinHint = "the hosts were copied from one image: give each its own /etc/machine-id (rm it, then systemd-machine-id-setup), and " +
		"restart it"
)

// flannelFaults finds the records by which packets go to the wrong host, or to
// none. Each agent is well by itself then, and so is each node. It is pure.
func flannelFaults(r Records) []Fault {
	var faults []Fault
	for _, kind := range []string{"public-ip", "public-ipv6"} {
		faults = append(faults, addressFaults(r, kind)...)
	}
	for _, kind := range []string{"backend-data", "backend-v6-data"} {
		faults = append(faults, twins(r.Nodes, kind)...)
	}
	return append(faults, dialects(r.Nodes)...)
}

// addressFaults looks at the address under which each node is to be reached.
func addressFaults(r Records, kind string) []Fault {
	owners, users := map[netip.Addr][]string{}, map[netip.Addr][]*corev1.Node{}
	for _, n := range r.Nodes {
		for _, a := range addressesOf(n) {
			owners[a] = append(owners[a], n.Name)
		}
	}
	var faults []Fault
	for _, n := range r.Nodes {
		written := n.Annotations[flannelPrefix+kind]
		if written == "" {
			continue
		}
		addr, err := cidr.ParseAddress(written)
		switch {
		case err != nil:
			faults = append(faults, recordFault(n, kind, fmt.Sprintf("flannel's %s %q is not an address", kind, text.Short(written, 60))))
			continue
		case addr.IsLoopback(), addr.IsUnspecified(), addr.IsLinkLocalUnicast(), addr.IsMulticast():
			faults = append(faults, recordFault(n, kind, fmt.Sprintf("flannel's %s %s leads to no other node", kind, addr)))
		case cidr.Contains(r.Pods, cidr.Host(addr)):
			faults = append(faults, recordFault(n, kind, fmt.Sprintf("flannel's %s %s is an address of the pods' own network", kind, addr)))
		case len(owners[addr]) > 0 && !slices.Contains(owners[addr], n.Name):
			faults = append(faults, recordFault(n, kind, fmt.Sprintf("flannel's %s %s is the address of node %s", kind, addr, owners[addr][0])))
		}
		users[addr] = append(users[addr], n)
	}
	for _, n := range r.Nodes {
		addr, err := cidr.ParseAddress(n.Annotations[flannelPrefix+kind])
		if err == nil && len(users[addr]) > 1 {
			faults = append(faults, recordFault(n, kind, fmt.Sprintf("%d nodes have flannel's %s %s: pods of one cannot reach those of the other",
				len(users[addr]), kind, addr)))
		}
	}
	return faults
}

// recordFault is a fault of a node's record, with the way out: the annotation
// that a person has set, else the choice of the interface.
func recordFault(n *corev1.Node, kind, why string) Fault {
	hint := ifaceHint
	if overwrite := flannelPrefix + kind + "-overwrite"; n.Annotations[overwrite] != "" {
		hint = fmt.Sprintf("annotation %s says so: correct it or take it off (%s), then have the agents start again: kubectl -n kube-flannel "+
			"rollout restart daemonset kube-flannel-ds",
			overwrite, text.Command("kubectl", "annotate", "node", n.Name, overwrite+"-"))
	}
	return Fault{Node: n.Name, Why: why, See: seeRecords, Hint: hint}
}

// backendData is what two nodes may never share: the hardware address of VXLAN,
// the key of WireGuard.
type backendData struct {
	VtepMAC   string `json:"VtepMAC"`
	PublicKey string `json:"PublicKey"`
	VNI       *int   `json:"VNI"`
}

func backendOf(n *corev1.Node, kind string) backendData {
	var d backendData
	if json.Unmarshal([]byte(n.Annotations[flannelPrefix+kind]), &d) != nil {
		return backendData{}
	}
	return d
}

// twins finds nodes that have the same hardware address or key: systemd makes
// both the address of a VXLAN device and others from the machine-id
// (flannel-io/flannel#1155).
func twins(nodes []*corev1.Node, kind string) []Fault {
	seen := map[string]int{}
	key := func(n *corev1.Node) string {
		d := backendOf(n, kind)
		switch {
		case d.VtepMAC != "":
			return "hardware address " + text.Short(strings.ToLower(d.VtepMAC), 60)
		case d.PublicKey != "":
			return "WireGuard key " + text.Short(d.PublicKey, 60)
		}
		return ""
	}
	for _, n := range nodes {
		seen[key(n)]++
	}
	var faults []Fault
	for _, n := range nodes {
		if k := key(n); k != "" && seen[k] > 1 {
			faults = append(faults, Fault{
				Node: n.Name, See: seeRecords, Hint: twinHint,
				Why: fmt.Sprintf("%d nodes have the same %s: packets reach the wrong one", seen[k], k),
			})
		}
	}
	return faults
}

// dialects finds nodes whose agents speak another way than most: another
// backend, or another number of the network.
func dialects(nodes []*corev1.Node) []Fault {
	speech := func(n *corev1.Node) string {
		written := n.Annotations[flannelPrefix+"backend-type"]
		if written == "" {
			return ""
		}
		said := "backend " + text.Short(written, 60)
		if vni := backendOf(n, "backend-data").VNI; vni != nil {
			said += fmt.Sprintf(" with VNI %d", *vni)
		}
		return said
	}
	count := map[string]int{}
	for _, n := range nodes {
		if s := speech(n); s != "" {
			count[s]++
		}
	}
	most := ""
	for s, n := range count {
		if n > count[most] || (n == count[most] && s < most) {
			most = s
		}
	}
	var faults []Fault
	for _, n := range nodes {
		if s := speech(n); s != "" && s != most {
			faults = append(faults, Fault{
				Node: n.Name, See: seeRecords,
				Why:  fmt.Sprintf("flannel has the %s there, and the %s on other nodes: they do not understand each other", s, most),
				Hint: "have all agents start again: kubectl -n kube-flannel rollout restart daemonset kube-flannel-ds",
			})
		}
	}
	return faults
}

// flannelDoubts finds addresses that are none of their node's where they were not
// chosen. That can be right (the kubelet was given another interface), and
// is most often the wrong one.
func flannelDoubts(r Records) []Fault {
	if chosen(r.Agents) {
		return nil
	}
	var doubts []Fault
	for _, n := range r.Nodes {
		own := addressesOf(n)
		for _, kind := range []string{"public-ip", "public-ipv6"} {
			addr, err := cidr.ParseAddress(n.Annotations[flannelPrefix+kind])
			sameFamily := slices.ContainsFunc(own, func(a netip.Addr) bool { return a.Is6() == addr.Is6() })
			if err != nil || !sameFamily || slices.Contains(own, addr) || n.Annotations[flannelPrefix+kind+"-overwrite"] != "" {
				continue
			}
			doubts = append(doubts, Fault{
				Node: n.Name, See: "kubectl get nodes -o wide", Hint: ifaceHint,
				Why: fmt.Sprintf("flannel's %s %s is none of its addresses: do packets between pods of two nodes arrive?", kind, addr),
			})
		}
	}
	return doubts
}

// chosen says whether the agents were told which interface or address to take.
func chosen(agents *appsv1.DaemonSet) bool {
	if agents == nil {
		return false
	}
	for _, c := range agents.Spec.Template.Spec.Containers {
		for _, arg := range slices.Concat(c.Command, c.Args) {
			for _, flag := range []string{"--iface", "--public-ip", "-iface", "-public-ip"} {
				if strings.HasPrefix(arg, flag) {
					return true
				}
			}
		}
	}
	return false
}

// addressesOf are all addresses of a node, also those outside.
func addressesOf(n *corev1.Node) []netip.Addr {
	var out []netip.Addr
	for _, a := range n.Status.Addresses {
		if addr, err := cidr.ParseAddress(a.Address); err == nil {
			out = append(out, addr)
		}
	}
	return out
}
