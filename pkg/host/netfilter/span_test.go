// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestTheAddressesThatALegacyRuleNames(t *testing.T) {
	for rule, want := range map[string]string{
		"-A INPUT -s 10.244.0.0/16 -j ACCEPT":                                    "10.244.0.0/16",
		"-A INPUT ! -d 10.244.1.2/32 -j ACCEPT":                                  "10.244.1.2",
		"-A INPUT -s 10.244.0.0/255.255.0.0 -j ACCEPT":                           "10.244.0.0/16",
		"-A INPUT -s 10.244.0.0/255.0.255.0 -j ACCEPT":                           "",
		"-A INPUT -m iprange --src-range 10.244.0.3-10.244.0.9 -j DROP":          "10.244.0.3-10.244.0.9",
		"-A PREROUTING -p tcp -j DNAT --to-destination 10.244.1.2:80":            "10.244.1.2",
		"-A PREROUTING -p tcp -j DNAT --to-destination 10.244.1.2-10.244.1.3:80": "10.244.1.2/31",
		"-A PREROUTING -p tcp -j DNAT --to-destination [fd00::1]:80":             "fd00::1",
		"-A PREROUTING -j NETMAP --to 10.244.0.0/16":                             "10.244.0.0/16",
		`-A INPUT -m comment --comment "10.244.0.0/16" -j ACCEPT`:                "",
		"-A INPUT -j LOG --log-prefix 10.244.0.1":                                "",
		"-A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT":                 "",
		"-A INPUT -m mac --mac-source 00:11:22:33:44:55 -j ACCEPT":               "",
		"-A INPUT -s fe80::/10 -j ACCEPT":                                        "fe80::/10",
		"":                                                                       "",
	} {
		spans, more := Rule{Text: rule}.Spans("ip")
		if got := said(spans); got != want || more {
			t.Errorf("%s: got %q, want %q; more: %v", rule, got, want, more)
		}
	}
	for n, cut := range map[int]bool{mostSpans: false, mostSpans + 1: true, 1000: true} {
		if spans, more := (Rule{Text: strings.Repeat("10.244.0.1 ", n)}).Spans("ip"); len(spans) != mostSpans || more != cut {
			t.Errorf("%d of a rule with %d, and it says %v of more", len(spans), n, more)
		}
	}
}

func said(spans []Span) string {
	var out []string
	for _, s := range spans {
		out = append(out, s.String())
	}
	return strings.Join(out, " ")
}

func TestWhatIsWithinANetwork(t *testing.T) {
	network := netip.MustParsePrefix("10.244.0.0/16")
	for text, want := range map[string]bool{
		"10.244.0.0/16": true, "10.244.3.0/24": true, "10.244.9.9": true, "10.244.0.0-10.244.255.255": true,
		"10.0.0.0/8": false, "10.244.0.0/15": false, "0.0.0.0/0": false, "10.245.0.1": false, "10.244.0.0-10.245.0.0": false, "::/0": false,
		"::ffff:10.244.0.1": false,
	} {
		s, is := parseSpan(text)
		if !is || s.Within(network) != want {
			t.Errorf("%s: %v, %v", text, s, is)
		}
	}
	for _, text := range []string{"", "eth0", "80", "10.244.0.0/33", "-", "10.0.0.1-", "fe80::1%eth0", "[", "[fd00::1", "10.0.0.1-fd00::1"} {
		if s, is := parseSpan(text); is {
			t.Errorf("%q: %v", text, fmt.Sprint(s))
		}
	}
}
