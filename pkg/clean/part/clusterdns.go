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
// JSON, and reports whether there are more than are read.
func clusterDNS(raw []byte) (out []string, more bool) {
	key := regexp.MustCompile(`(?m)(?:^|[{,])[ \t]*["']?clusterDNS["']?[ \t]*:`).FindIndex(raw)
	if key == nil {
		return nil, false
	}
	item := regexp.MustCompile(`^[\s\[,"'-]*([0-9a-fA-F]*[.:][0-9a-fA-F.:]*)["']?`)
	for rest := raw[key[1]:]; ; {
		found := item.FindSubmatchIndex(rest)
		if found == nil {
			break
		}
		addr, err := netip.ParseAddr(string(rest[found[2]:found[3]]))
		if err != nil {
			break
		}
		if len(out) == mostServers {
			return out, true
		}
		out, rest = append(out, addr.String()), rest[found[1]:]
	}
	return out, false
}

// NodeLocalDNS reports whether the kubelet sends pods to an address that each host has
// for itself, where NodeLocal DNSCache listens.
func (p Places) NodeLocalDNS() bool {
	return slices.ContainsFunc(p.DNS, func(address string) bool {
		addr, err := netip.ParseAddr(address)
		return err == nil && addr.IsLinkLocalUnicast()
	})
}
