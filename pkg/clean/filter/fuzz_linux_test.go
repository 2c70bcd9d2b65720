// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func FuzzParseIPVS(f *testing.F) {
	f.Add("TCP  0A600001:01BB rr\nUDP  [fd00:0010:0096:0000:0000:0000:0000:000a]:0035 rr\nFWM  00000001 rr\n")
	f.Add("  -> 0AF40105:192B Masq\nFWM  00000001 rr\n  -> 0AF40105:192B Masq\nTCP  0A600001:01BB rr\n  -> [fd00::1]:0035 Masq\n  -> x y")
	f.Add("TCP :\nUDP [\nSCTP []:1\nTCP 0A6000011:1\nTCP 0A600001")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseIPVS(text)
		if err != nil {
			return
		}
		if len(all) > strings.Count(text, "\n")+1 {
			t.Errorf("%d services in %d lines", len(all), strings.Count(text, "\n")+1)
		}
		for _, v := range all {
			if !v.at.IsValid() {
				t.Errorf("a service without an address: %v", v)
			}
		}
		c := virtualCase{facts: inventory.Facts{NodeIPs: []string{"192.0.2.1"}, ServiceCIDRs: []string{"x", ""}},
			local: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
		if none := c.kubeProxys(all); len(none) > 0 {
			t.Errorf("without a network of services %v are the cluster's", none)
		}
	})
}

func FuzzNetworkOf(f *testing.F) {
	f.Add(`dnat name: "cbr0" id: "b9c6"`)
	f.Add(`name: "" id: "`)
	f.Add(`name: "x`)
	f.Fuzz(func(t *testing.T, comment string) {
		name := networkOf(comment)
		if len(name) > len(comment) || strings.Contains(name, `"`) {
			t.Errorf("%q of %q", name, comment)
		}
	})
}
