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
	// servers are those that it leads to.
	servers []netip.AddrPort
}

// String is "tcp 10.96.0.1:443".
func (v virtual) String() string { return v.protocol + " " + v.at.String() }

// parseIPVS reads /proc/net/ip_vs (net/netfilter/ipvs/ip_vs_ctl.c): lines such as
// "TCP  0A600001:01BB rr" and "UDP  [fd00:0000:…]:0035 rr", and after each those of its
// servers, "  -> 0AF40105:192B Masq …". Services by firewall mark have no address and are
// left out: kube-proxy makes none.
func parseIPVS(text string) ([]virtual, error) {
	var out []virtual
	named := false // the service that servers are of has an address
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
			continue
		case fields[0] == "->" && !named:
			continue
		case fields[0] != "->":
			if named = slices.Contains([]string{"TCP", "UDP", "SCTP"}, fields[0]); !named {
				continue
			}
		}
		at, err := parseVirtual(fields[1])
		switch {
		case err != nil:
			return nil, fmt.Errorf("virtual service %q: %w", fields[1], err)
		case fields[0] == "->":
			last := &out[len(out)-1]
			last.servers = append(last.servers, at)
		default:
			out = append(out, virtual{protocol: strings.ToLower(fields[0]), at: at})
		}
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

// server is one of a virtual service.
type server struct {
	protocol string
	at       netip.AddrPort
}

// virtualCase is what there is to decide whose virtual services are.
type virtualCase struct {
	facts inventory.Facts
	// bound are the addresses of kube-proxy's own link, which has all those of services,
	// and local those of this host.
	bound, local []netip.Addr
	// limited says that the host stays a node.
	limited bool
}

// kubeProxys are those virtual services that kube-proxy has made, in the order in
// which they are to go: what the others are known by goes last. Ours are those in a
// service network, and those at an address of kube-proxy's own link. Where there is one of
// these, or just the link, those of a node port are ours, too: kube-proxy makes one for
// each address of the host, the node's among them. What it leaves alone (IPVSExclude) is
// none of them. A Node says of itself which addresses it has, so they count as far as
// this host has them.
func (c virtualCase) kubeProxys(all []virtual) []virtual {
	var services, elsewhere, atNode []virtual
	its := map[server]bool{} // the servers of services
	for _, v := range all {
		if !c.service(v) {
			continue
		}
		services = append(services, v)
		for _, at := range v.servers {
			its[server{v.protocol, at}] = true
		}
	}
	for _, v := range all {
		switch {
		case c.excluded(v) || c.service(v) || !c.nodePort(v, its):
		case c.atNode(v):
			atNode = append(atNode, v)
		case slices.Contains(c.local, v.at.Addr()):
			elsewhere = append(elsewhere, v)
		}
	}
	if len(services) == 0 && len(c.bound) == 0 {
		return nil
	}
	elsewhere = slices.DeleteFunc(elsewhere, func(v virtual) bool {
		return !slices.ContainsFunc(atNode, func(node virtual) bool { return node.protocol == v.protocol && node.at.Port() == v.at.Port() })
	})
	return slices.Concat(elsewhere, atNode, services)
}

func (c virtualCase) excluded(v virtual) bool { return cluster.InAny(v.at.Addr(), c.facts.IPVSExclude) }

// service reports whether a virtual service is at an address of services.
func (c virtualCase) service(v virtual) bool {
	return !c.excluded(v) && (slices.Contains(c.bound, v.at.Addr()) || cluster.InAny(v.at.Addr(), c.facts.ServiceCIDRs))
}

// atNode reports whether a virtual service is at an address of this Node that this host has.
func (c virtualCase) atNode(v virtual) bool {
	return slices.Contains(c.facts.NodeIPs, v.at.Addr().String()) && slices.Contains(c.local, v.at.Addr())
}

// nodePort reports whether a virtual service is that of a node port, each of which has an
// address of services as well: it leads to pods, and where some of the services do. Of
// those ports that an API server gives unless it is told others
// (--service-node-port-range), one of the two is enough, and without servers the port. At
// other ports a person may balance the API servers, which are a service's servers, too.
func (c virtualCase) nodePort(v virtual, its map[server]bool) bool {
	for _, at := range v.servers {
		pod, known := cluster.InAny(at.Addr(), c.facts.PodCIDRs), its[server{v.protocol, at}]
		if !pod && !known || !v.usual() && (!pod || !known) {
			return false
		}
	}
	return v.usual() || len(v.servers) > 0
}

// usual reports whether a port is one of those that API servers give node ports.
func (v virtual) usual() bool {
	const first, last = 30000, 32767
	return v.at.Port() >= first && v.at.Port() <= last
}

// perhaps says how a virtual service that is not provably kube-proxy's refers to the
// cluster, or may; empty if it does not look like that.
func (c virtualCase) perhaps(v virtual) string {
	if c.limited || c.excluded(v) {
		return ""
	}
	for _, at := range v.servers {
		switch {
		case cluster.InAny(at.Addr(), c.facts.PodCIDRs):
			return fmt.Sprintf("its server %s is in the cluster's pod network", at)
		case slices.Contains(c.facts.NodeIPs, at.Addr().String()):
			return fmt.Sprintf("its server %s is at the address of a node of the cluster", at)
		}
	}
	if c.atNode(v) && (v.usual() || len(v.servers) == 0) {
		return "it may be that of a node port: it takes a port of this Node's address, and nothing shows who has made it"
	}
	return ""
}

// items says of each virtual service what becomes of it.
func (c virtualCase) items(all, ours []virtual) []inventory.Item {
	var out []inventory.Item
	for _, v := range all {
		it := inventory.Item{Kind: inventory.KindVirtual, Name: v.String(), Owner: inventory.KubeProxy, Fate: inventory.Goes}
		if !slices.ContainsFunc(ours, func(o virtual) bool { return o.String() == v.String() }) {
			it.Owner, it.Fate, it.Refers = inventory.Foreign, inventory.Stays, c.perhaps(v)
			it.Why = "neither at an address of the cluster's services nor of a node port"
		}
		out = append(out, it)
	}
	return out
}
