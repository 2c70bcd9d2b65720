// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// marks are the signs of each owner that were found on a host, by the kind of
// thing that shows them. One sign can be another's: a table of routes with
// a number that a network uses, too, a link that a person called cni0, a comment
// that begins with "cilium:". What has only such a sign goes if there is a second
// one of another kind, and stays and is named otherwise.
type marks map[inventory.Owner][]inventory.Kind

func (m marks) add(owner inventory.Owner, kind inventory.Kind) {
	if owner != inventory.Foreign && !slices.Contains(m[owner], kind) {
		m[owner] = append(m[owner], kind)
	}
}

// besides reports whether an owner has a sign of another kind than some.
func (m marks) besides(owner inventory.Owner, kinds ...inventory.Kind) bool {
	return slices.ContainsFunc(m[owner], func(k inventory.Kind) bool { return !slices.Contains(kinds, k) })
}

// merge adds the signs of another look.
func (m marks) merge(other marks) {
	for owner, kinds := range other {
		for _, kind := range kinds {
			m.add(owner, kind)
		}
	}
}

// linkView is what a link shows of itself.
type linkView struct {
	name, kind string
	// vni is the number of a VXLAN's network.
	vni int
	// addrs are its addresses.
	addrs []netip.Prefix
}

// linkCase is what else there is to decide whose a link is.
type linkCase struct {
	facts inventory.Facts
	// second says that its owner has a sign of another kind on this host.
	second bool
	// claimed says that a configuration which stays names it as its bridge.
	claimed bool
}

// decideLink says whose a link is that has the name and kind of a network's: ours
// with a second sign, which may be an address of the cluster's; else the owner
// only perhaps, and it stays.
func decideLink(l linkView, c linkCase) (owner, perhaps inventory.Owner) {
	candidate := linkOwner(l.name, l.kind)
	if candidate == inventory.Foreign {
		return inventory.Foreign, inventory.Foreign
	}
	// flannel puts the number of the network into the name (pkg/backend/vxlan).
	if number, is := strings.CutPrefix(l.name, "flannel."); is && l.kind == "vxlan" && number != strconv.Itoa(l.vni) {
		return inventory.Foreign, inventory.Foreign
	}
	within := func(networks []string) bool {
		return slices.ContainsFunc(l.addrs, func(a netip.Prefix) bool { return inAny(a.Addr(), networks) })
	}
	theirs := slices.ContainsFunc(l.addrs, func(a netip.Prefix) bool { return !inAny(a.Addr(), c.facts.PodCIDRs) })
	switch {
	case c.claimed && (theirs || len(l.addrs) == 0):
		return inventory.Foreign, inventory.Foreign
	case within(c.facts.PodCIDRs), within(c.facts.ServiceCIDRs), c.second:
		return candidate, inventory.Foreign
	case candidate == inventory.NodeDNS && slices.ContainsFunc(l.addrs, func(a netip.Prefix) bool { return a.Addr() == nodeDNSAddress() }):
		return candidate, inventory.Foreign
	}
	return inventory.Foreign, candidate
}

// nodeDNSAddress is the address that NodeLocal DNSCache listens at in the
// configuration that everybody copies (kubernetes/kubernetes,
// cluster/addons/dns/nodelocaldns).
func nodeDNSAddress() netip.Addr { return netip.AddrFrom4([4]byte{169, 254, 20, 10}) }

// perhapsWhy says why a thing stays that has only one sign of an owner.
func perhapsWhy(owner inventory.Owner) string {
	return "named as " + string(owner) + " names its own, and nothing else here shows that it is"
}

// believable leaves out what cannot be the cluster's although the cluster says so:
// a node may write its own pod network and addresses into the API, and so make a
// router of this host's, or its whole network, a "pod network". Networks wider
// than /8 (IPv6: /32), those with this host's main addresses or its gateways in
// them, and gateways as nodes prove nothing.
func believable(f inventory.Facts, main, gateways []netip.Addr) inventory.Facts {
	sane := func(networks []string) []string {
		var out []string
		for _, s := range networks {
			network, err := netip.ParsePrefix(s)
			has := func(ip netip.Addr) bool { return err == nil && network.Contains(ip) }
			switch {
			case err != nil, network.Addr().Is4() && network.Bits() < 8, network.Addr().Is6() && network.Bits() < 32:
			case slices.ContainsFunc(main, has), slices.ContainsFunc(gateways, has):
			default:
				out = append(out, s)
			}
		}
		return out
	}
	f.PodCIDRs, f.ServiceCIDRs = sane(f.PodCIDRs), sane(f.ServiceCIDRs)
	f.NodeIPs = slices.DeleteFunc(slices.Clone(f.NodeIPs), func(s string) bool {
		ip, err := netip.ParseAddr(s)
		return err != nil || slices.Contains(gateways, ip.Unmap())
	})
	return f
}

// commented returns whose a rule is by its comment: with a chain in the same table,
// or another sign on this host.
func (d *division) commented(by signs, comment string) inventory.Owner {
	owner := by.comments.owner(comment)
	if owner == inventory.Foreign || by.second != nil && by.second(owner) {
		return owner
	}
	for _, of := range d.chains {
		if of == owner {
			return owner
		}
	}
	return inventory.Foreign
}
