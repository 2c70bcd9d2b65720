// SPDX-License-Identifier: Apache-2.0

package part

import (
	"net/netip"
	"regexp"
	"slices"
)

// mostServers bounds how many DNS servers are read of a configuration.
const mostServers = 16

// clusterDNS reads the addresses of clusterDNS from a KubeletConfiguration, in YAML or
// JSON.
func clusterDNS(raw []byte) []string {
	key := regexp.MustCompile(`(?m)(?:^|[{,])[ \t]*["']?clusterDNS["']?[ \t]*:`).FindIndex(raw)
	if key == nil {
		return nil
	}
	var out []string
	item := regexp.MustCompile(`^[\s\[,"'-]*([0-9a-fA-F]*[.:][0-9a-fA-F.:]*)["']?`)
	for rest := raw[key[1]:]; len(out) < mostServers; {
		found := item.FindSubmatchIndex(rest)
		if found == nil {
			break
		}
		addr, err := netip.ParseAddr(string(rest[found[2]:found[3]]))
		if err != nil {
			break
		}
		out, rest = append(out, addr.String()), rest[found[1]:]
	}
	return out
}

// NodeLocalDNS reports whether the kubelet sends pods to an address that each host has
// for itself, where NodeLocal DNSCache listens.
func (p Places) NodeLocalDNS() bool {
	return slices.ContainsFunc(p.DNS, func(address string) bool {
		addr, err := netip.ParseAddr(address)
		return err == nil && addr.IsLinkLocalUnicast()
	})
}
