// SPDX-License-Identifier: Apache-2.0

package cidr

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Parse reads CIDRs separated by commas, as kubeadm and kube-proxy write
// them: "10.244.0.0/16,fd00:10:244::/56" (IPv4 first or second). Empty text
// gives none.
func Parse(text string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%q is not a CIDR such as 10.244.0.0/16: %w", part, err)
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}

// Family returns the first CIDR of an IP family.
func Family(prefixes []netip.Prefix, v6 bool) (netip.Prefix, bool) {
	i := slices.IndexFunc(prefixes, func(p netip.Prefix) bool { return p.Addr().Is6() == v6 })
	if i < 0 {
		return netip.Prefix{}, false
	}
	return prefixes[i], true
}

// Contains tells whether some prefix holds the whole of inner.
func Contains(outer []netip.Prefix, inner netip.Prefix) bool {
	return slices.ContainsFunc(outer, func(p netip.Prefix) bool {
		return p.Bits() <= inner.Bits() && p.Contains(inner.Addr())
	})
}

// Overlap returns the first pair of CIDRs that share addresses.
func Overlap(a, b []netip.Prefix) (x, y netip.Prefix, found bool) {
	for _, x := range a {
		for _, y := range b {
			if x.Overlaps(y) {
				return x, y, true
			}
		}
	}
	return netip.Prefix{}, netip.Prefix{}, false
}

// List writes CIDRs as Parse reads them.
func List(prefixes []netip.Prefix) string {
	words := make([]string, 0, len(prefixes))
	for _, p := range prefixes {
		words = append(words, p.String())
	}
	return strings.Join(words, ",")
}

// Same tells whether two lists hold the same CIDRs, whatever their order.
func Same(a, b []netip.Prefix) bool {
	if len(a) != len(b) {
		return false
	}
	for _, p := range a {
		if !slices.Contains(b, p) {
			return false
		}
	}
	return true
}

// ParseAddress reads an address that others wrote. One with a zone is none here: no
// other node can use it, and a zone may hold anything.
func ParseAddress(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err == nil && addr.Zone() != "" {
		return netip.Addr{}, errors.New("an address with a zone")
	}
	return addr, err
}

// Host is the range that holds one address alone.
func Host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
