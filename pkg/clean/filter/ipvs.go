// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// virtual is a virtual service of IPVS.
type virtual struct {
	protocol string
	at       netip.AddrPort
}

// String is "tcp 10.96.0.1:443".
func (v virtual) String() string { return v.protocol + " " + v.at.String() }

// parseIPVS reads /proc/net/ip_vs (net/netfilter/ipvs/ip_vs_ctl.c): lines such as
// "TCP  0A600001:01BB rr" and "UDP  [fd00:0000:…]:0035 rr". Services by firewall
// mark have no address and are left out: kube-proxy makes none.
func parseIPVS(text string) ([]virtual, error) {
	var out []virtual
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !slices.Contains([]string{"TCP", "UDP", "SCTP"}, fields[0]) {
			continue
		}
		at, err := parseVirtual(fields[1])
		if err != nil {
			return nil, fmt.Errorf("virtual service %q: %w", fields[1], err)
		}
		out = append(out, virtual{strings.ToLower(fields[0]), at})
	}
	return out, nil
}

func parseVirtual(text string) (netip.AddrPort, error) {
	i := strings.LastIndexByte(text, ':')
	port, err := strconv.ParseUint(text[i+1:], 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if six, is := strings.CutPrefix(text[:max(i, 0)], "["); is {
		ip, err := netip.ParseAddr(strings.TrimSuffix(six, "]"))
		return netip.AddrPortFrom(ip, uint16(port)), err
	}
	raw, err := hex.DecodeString(text[:max(i, 0)])
	ip, is := netip.AddrFromSlice(raw)
	if err != nil || !is || len(raw) != 4 {
		return netip.AddrPort{}, fmt.Errorf("no address: %w", err)
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

// kubeProxys are those virtual services that kube-proxy has made, in the order in
// which they are to go: what the others are known by goes last. Ours are those in a
// service network, and those at an address of kube-proxy's own link, which has all
// addresses of services. Where there is one of these, or just the link, those of a
// node port are ours, too: kube-proxy makes one for each address of the host (local),
// the node's among them. What it leaves alone (IPVSExclude) is none of them.
func kubeProxys(all []virtual, facts inventory.Facts, bound, local []netip.Addr) []virtual {
	const firstNodePort, lastNodePort = 30000, 32767
	var services, elsewhere, atNode []virtual
	for _, v := range all {
		switch {
		case cluster.InAny(v.at.Addr(), facts.IPVSExclude):
		case slices.Contains(bound, v.at.Addr()), cluster.InAny(v.at.Addr(), facts.ServiceCIDRs):
			services = append(services, v)
		case v.at.Port() < firstNodePort || v.at.Port() > lastNodePort:
		case slices.Contains(facts.NodeIPs, v.at.Addr().String()):
			atNode = append(atNode, v)
		case slices.Contains(local, v.at.Addr()):
			elsewhere = append(elsewhere, v)
		}
	}
	if len(services) == 0 && len(bound) == 0 {
		return nil
	}
	elsewhere = slices.DeleteFunc(elsewhere, func(v virtual) bool {
		return !slices.ContainsFunc(atNode, func(node virtual) bool { return node.protocol == v.protocol && node.at.Port() == v.at.Port() })
	})
	return slices.Concat(elsewhere, atNode, services)
}

// ipvsItems says of each virtual service what becomes of it.
func ipvsItems(all, ours []virtual) []inventory.Item {
	var out []inventory.Item
	for _, v := range all {
		it := inventory.Item{Kind: inventory.KindVirtual, Name: v.String(), Owner: inventory.KubeProxy, Fate: inventory.Goes}
		if !slices.Contains(ours, v) {
			it.Owner, it.Fate, it.Why = inventory.Foreign, inventory.Stays, "neither at an address of the cluster's services nor of a node port"
		}
		out = append(out, it)
	}
	return out
}
