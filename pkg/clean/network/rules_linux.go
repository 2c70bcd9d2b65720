// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// rule is a routing rule, and whose it is.
type rule struct {
	netlink.Rule
	owner inventory.Owner
	text  string
}

// The kernel's own rules: local, main and default (ip-rule(8)).
const (
	prioLocal, prioMain, prioDefault = 0, 32766, 32767
	// prioMoved is where Cilium moves the kernel's rule "local" to, to have
	// rules of its own before it (pkg/datapath/linux/linux_defaults).
	prioMoved = 100
)

// ownRules lists the routing rules of both families except the kernel's own. Ours
// are those by whose tables one knows a network that has another sign here.
func (t Network) ownRules() ([]rule, error) {
	var out []rule
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		all, err := netlinks.Dump(func() ([]netlink.Rule, error) { return netlink.RuleList(family) })
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) { // no IPv6, no policy routing
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list routing rules: %w", err)
		}
		for _, r := range all {
			r.Family = family
			prio := max(r.Priority, 0)
			switch {
			case prio == prioLocal && r.Table == unix.RT_TABLE_LOCAL,
				prio == prioMain && r.Table == unix.RT_TABLE_MAIN, prio == prioDefault && r.Table == unix.RT_TABLE_DEFAULT:
				continue
			}
			owner := ruleOwner(r)
			if !t.Scope.Takes(owner) || !t.Second(owner, inventory.KindRule, inventory.KindRoute) {
				owner = inventory.Foreign
			}
			out = append(out, rule{Rule: r, owner: owner, text: ruleText(r)})
		}
	}
	return out, nil
}

// ciliumTables are those that only Cilium uses: to its proxy, and from it
// (pkg/datapath/linux/linux_defaults).
func ciliumTables() []int { return []int{2004, 2005} }

// Tables that others use, too: Cilium's for what it encrypts, whose rules ask for its
// mark, and for VXLAN gateways outside of the cluster, with the priority of the rules
// that lead there.
const (
	tableIPsec, tableGateways = 200, 202
	prioGateways              = 112
)

// ruleOwner knows rules by the tables that their owners use: Cilium 2004 (to
// proxy), 2005 (from proxy); kube-router 77 to 79; Submariner 149 and 150; Kilo 1107. A number is not proof: every program
// may use it.
// None of them asks for users, ports and the like, as a person does.
func ruleOwner(r netlink.Rule) inventory.Owner {
	switch {
	case picky(r):
		return inventory.Foreign
	case isCiliums(r):
		return inventory.Cilium
	case ofKubeRouter(r.Table) && (r.Mark != 0 || r.Src != nil || r.Dst != nil):
		return inventory.KubeRouter
	case ofSubmariner(r.Table):
		return inventory.Submariner
	case r.Table == tableKilo && !everything(r.Dst):
		return inventory.Kilo
	}
	return inventory.Foreign
}

// isCiliums knows Cilium's rules by their tables.
func isCiliums(r netlink.Rule) bool {
	return slices.Contains(ciliumTables(), r.Table) ||
		r.Table == unix.RT_TABLE_LOCAL && r.Priority == prioMoved && plain(r) ||
		r.Table == tableIPsec && r.Mask != nil && encrypts(r.Mark, *r.Mask) ||
		r.Table == tableGateways && r.Priority == prioGateways && !everything(r.Dst)
}

// picky reports whether a rule asks for more than addresses, links and marks, or does
// not only look into a table.
func picky(r netlink.Rule) bool {
	asks := r.Tos != 0 || r.TunID != 0 || r.IPProto > 0 || r.Dport != nil || r.Sport != nil || r.UIDRange != nil || r.Flow > 0
	return asks || r.Invert || r.Goto >= 0 || r.SuppressIfgroup >= 0 || r.SuppressPrefixlen >= 0
}

// plain reports whether a rule fits every packet.
func plain(r netlink.Rule) bool {
	return everything(r.Src) && everything(r.Dst) && r.Mark == 0 && r.IifName == "" && r.OifName == ""
}

func everything(n *net.IPNet) bool {
	if n == nil {
		return true
	}
	ones, _ := n.Mask.Size()
	return ones == 0
}

func ruleText(r netlink.Rule) string {
	s := fmt.Sprintf("%d:", max(r.Priority, 0))
	if r.Family == netlink.FAMILY_V6 {
		s = "inet6 " + s
	}
	from := "all"
	if !everything(r.Src) {
		from = r.Src.String()
	}
	s += " from " + from
	if !everything(r.Dst) {
		s += " to " + r.Dst.String()
	}
	if r.Mark != 0 {
		s += fmt.Sprintf(" fwmark %#x", r.Mark)
	}
	if r.IifName != "" {
		s += " iif " + r.IifName
	}
	if r.OifName != "" {
		s += " oif " + r.OifName
	}
	return s + fmt.Sprintf(" table %d", r.Table)
}

// takeRules deletes our rules. The kernel's rule "local" is put back in its
// place before Cilium's copy of it goes: without any the host is not reachable.
func (t Network) takeRules(report plan.Report) error {
	rules, err := t.ownRules()
	if err != nil {
		return err
	}
	for _, r := range rules {
		if r.owner == inventory.Foreign {
			continue
		}
		if r.Table == unix.RT_TABLE_LOCAL {
			back := netlink.NewRule()
			back.Family, back.Table, back.Priority = r.Family, unix.RT_TABLE_LOCAL, prioLocal
			if err := netlink.RuleAdd(back); err != nil && !errors.Is(err, unix.EEXIST) {
				return fmt.Errorf("put back rule 0: from all lookup local: %w", err)
			}
		}
		if err := netlink.RuleDel(&r.Rule); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("delete rule %s: %w", r.text, err)
		}
		report("deleted rule %s", r.text)
	}
	return nil
}
