// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// The bits of a packet's mark in which Cilium says that it is to be encrypted, or was
// decrypted, and the priority of its one policy for what is forwarded, which has no
// mark (pkg/datapath/linux/linux_defaults, 1.19).
const (
	markBits, markDecrypt, markEncrypt = 0xf00, 0xd00, 0xe00
	prioForwarded                      = 0x0b9f
)

// encryption is a policy or an association of the kernel's IPsec that looks like those
// of a pod network. Its text says nothing of keys.
type encryption struct {
	text string
	drop func() error
}

// encrypts reports whether a mark is one of Cilium's for encryption; the other bits are
// the number of a node and of a key. It never asks for the lowest eight (IPsecMarkMaskIn,
// IPsecMarkMaskOut), as a mark that a person has given a VPN does.
func encrypts(value, mask uint32) bool {
	bits := value & mask & markBits
	return mask&markBits == markBits && mask&0xff == 0 && (bits == markDecrypt || bits == markEncrypt)
}

// isCiliumPolicy knows a policy by its mark or, where Cilium gives it none, by its
// shape: one that lets everything in, or is forwarded at Cilium's priority, whatever
// encrypted it (pkg/datapath/linux/ipsec, isXfrmPolicyCilium). Cilium itself leaves the
// policy that drops what could not be encrypted.
func isCiliumPolicy(p netlink.XfrmPolicy) bool {
	if p.Mark != nil {
		return encrypts(p.Mark.Value, p.Mark.Mask)
	}
	if len(p.Tmpls) != 1 || p.Ifid != 0 {
		return false
	}
	whatever := p.Tmpls[0].Optional == 1 && p.Tmpls[0].Spi == 0 && p.Tmpls[0].Reqid == 0
	return whatever && (p.Dir == netlink.XFRM_DIR_FWD && p.Priority == prioForwarded ||
		p.Dir == netlink.XFRM_DIR_IN && p.Priority == 0 && everything(p.Src) && everything(p.Dst))
}

// encryptions lists what looks like Cilium's. The keys of what the others encrypt, such
// as a VPN of this host, are not looked at any further.
func encryptions() ([]encryption, error) {
	var out []encryption
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		policies, err := netlinks.Dump(func() ([]netlink.XfrmPolicy, error) { return netlink.XfrmPolicyList(family) })
		if errors.Is(err, unix.EPROTONOSUPPORT) { // a kernel without IPsec
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list IPsec policies: %w", err)
		}
		for _, p := range policies {
			if isCiliumPolicy(p) {
				out = append(out, encryption{policyText(p), func() error { return netlink.XfrmPolicyDel(&p) }})
			}
		}
		states, err := netlinks.Dump(func() ([]netlink.XfrmState, error) { return netlink.XfrmStateList(family) })
		if err != nil {
			return nil, fmt.Errorf("list IPsec associations: %w", err)
		}
		for _, s := range states {
			if s.Mark != nil && encrypts(s.Mark.Value, s.Mark.Mask) {
				out = append(out, encryption{stateText(s), func() error { return netlink.XfrmStateDel(&s) }})
			}
		}
	}
	return out, nil
}

func policyText(p netlink.XfrmPolicy) string {
	return fmt.Sprintf("policy %s src %s dst %s priority %d%s", p.Dir, p.Src, p.Dst, p.Priority, markText(p.Mark))
}

func stateText(s netlink.XfrmState) string {
	return fmt.Sprintf("state src %s dst %s spi %#x%s", s.Src, s.Dst, s.Spi, markText(s.Mark))
}

func markText(m *netlink.XfrmMark) string {
	if m == nil {
		return ""
	}
	return fmt.Sprintf(" mark %#x/%#x", m.Value, m.Mask)
}

// lookIPsec looks for what encrypts between the nodes of the cluster: its associations
// hold keys of the cluster's.
func (t Network) lookIPsec() ([]inventory.Item, error) {
	if !t.Scope.Takes(inventory.Cilium) {
		return nil, nil
	}
	all, err := encryptions()
	var out []inventory.Item
	for _, e := range all {
		it := inventory.Item{Kind: inventory.KindIPsec, Name: e.text, Owner: inventory.Cilium, Fate: inventory.Goes}
		if !t.Second(inventory.Cilium, inventory.KindIPsec, inventory.KindRoute, inventory.KindRule) {
			why := ownership.PerhapsWhy(inventory.Cilium)
			it.Owner, it.Fate, it.Why, it.Refers = inventory.Foreign, inventory.Stays, why, why
		}
		out = append(out, it)
	}
	return out, err
}

func (t Network) takeIPsec(report plan.Report) error {
	if !t.Scope.Takes(inventory.Cilium) || !t.Second(inventory.Cilium, inventory.KindIPsec, inventory.KindRoute, inventory.KindRule) {
		return nil
	}
	all, err := encryptions()
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := e.drop(); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("delete IPsec %s: %w", e.text, err)
		}
		report("deleted IPsec %s", e.text)
	}
	return nil
}
