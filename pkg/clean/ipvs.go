// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
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

// ipvsItems says of each virtual service what becomes of it. Ours are those in a
// service network, and, if there is one of those, node ports. What is ours ends
// with the next boot, or when a person deletes it.
func ipvsItems(all []virtual, facts Facts) []Item {
	inside := func(v virtual) bool {
		return slices.ContainsFunc(facts.ServiceCIDRs, func(text string) bool {
			network, err := netip.ParsePrefix(text)
			return err == nil && network.Contains(v.at.Addr())
		})
	}
	const firstNodePort, lastNodePort = 30000, 32767
	proxied := slices.ContainsFunc(all, inside)
	var out []Item
	for _, v := range all {
		it := Item{Kind: KindVirtual, Name: v.String(), Owner: KubeProxy, Fate: Reboot, Why: "only ipvsadm deletes it before: ipvsadm -D " + v.flag()}
		nodePort := proxied && v.at.Port() >= firstNodePort && v.at.Port() <= lastNodePort
		if !inside(v) && !nodePort {
			it.Owner, it.Fate, it.Why = Foreign, Stays, "not in a network of the cluster's services"
		}
		out = append(out, it)
	}
	return out
}

// flag is how ipvsadm is told which service is meant.
func (v virtual) flag() string {
	switch v.protocol {
	case "udp":
		return "-u " + v.at.String()
	case "sctp":
		return "--sctp-service " + v.at.String()
	}
	return "-t " + v.at.String()
}
