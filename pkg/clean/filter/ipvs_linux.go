// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/ipvs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// virtualsFile is IPVS as it was before a removal touched it.
	virtualsFile = "virtual-services.txt"
	// proxyLink is the dummy link to which kube-proxy binds the addresses of all
	// services when it works with IPVS.
	proxyLink = "kube-ipvs0"
)

// Virtuals deletes kube-proxy's virtual services, before its link, by whose
// addresses one knows them.
func (t Filter) Virtuals() part.Part {
	return part.Part{
		ID: "virtual-services", Kind: inventory.KindVirtual,
		Look: func(context.Context) (part.Findings, error) {
			var s part.Findings
			all, c, err := t.readVirtuals()
			s.Add(t.Choices.KeepRules(c.items(all, t.oursOf(all, c)))...)
			return s, err
		},
		Take: t.deleteVirtuals,
	}
}

func (t Filter) deleteVirtuals(_ context.Context, report plan.Report) error {
	all, c, err := t.readVirtuals()
	if err != nil || t.Choices.Firewall == inventory.FirewallNone {
		return err
	}
	if err := t.Keep(virtualsFile, func() ([]byte, error) { return os.ReadFile(t.virtualsPath()) }); err != nil {
		return fmt.Errorf("keep a snapshot of the virtual services: %w", err)
	}
	ours := t.oursOf(all, c)
	for _, v := range ours {
		if err := ipvs.DeleteVirtual(v.protocol, v.at); err != nil {
			return err
		}
	}
	report("deleted %d virtual services", len(ours))
	if all, c, err = t.readVirtuals(); err != nil {
		return err
	}
	if left := t.oursOf(all, c); len(left) > 0 {
		return fmt.Errorf("%d virtual services are left, or have come back: %s is one", len(left), left[0])
	}
	return nil
}

func (t Filter) virtualsPath() string { return t.Path("/proc/net/ip_vs") }

// oursOf are those of some virtual services that go.
func (t Filter) oursOf(all []virtual, c virtualCase) []virtual {
	if !t.Scope.Takes(inventory.KubeProxy) {
		return nil
	}
	return c.kubeProxys(all)
}

// readVirtuals lists virtual services, and what there is to decide whose they are,
// without waking a module that is not loaded.
func (t Filter) readVirtuals() (all []virtual, c virtualCase, err error) {
	raw, err := os.ReadFile(t.virtualsPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil, c, nil
	}
	if err != nil {
		return nil, c, err
	}
	if all, err = parseIPVS(string(raw)); err != nil || len(all) == 0 {
		return all, c, err
	}
	c = virtualCase{facts: t.Facts, limited: t.Scope.Limited()}
	if c.local, err = netlinks.Addresses(nil); err == nil {
		c.bound, err = t.boundAddresses()
	}
	return all, c, err
}

// boundAddresses are the addresses of kube-proxy's link; none without one.
func (t Filter) boundAddresses() ([]netip.Addr, error) {
	link, err := netlink.LinkByName(proxyLink)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if ownership.Link(proxyLink, link.Type()) != inventory.KubeProxy || !t.Second(inventory.KubeProxy, inventory.KindLink) {
		return nil, nil
	}
	return netlinks.Addresses(link)
}
