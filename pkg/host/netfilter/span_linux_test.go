// SPDX-License-Identifier: Apache-2.0

package netfilter_test

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// Whichever tool has written a rule, and however the kernel holds it.
func TestTheAddressesThatAnNftRuleNames(t *testing.T) {
	rules := []struct{ tool, table, chain, rule, want string }{
		{"iptables-nft", "filter", "a0", "-s 10.244.0.0/16 -j ACCEPT", "10.244.0.0/16"},
		{"iptables-nft", "filter", "a1", "-s 10.244.0.0/17 ! -d 10.96.0.10 -j ACCEPT", "10.244.0.0/17 10.96.0.10"},
		{"iptables-nft", "filter", "a2", "-m iprange --src-range 10.244.0.3-10.244.0.9 -j DROP", "10.244.0.3-10.244.0.9"},
		{"iptables-nft", "filter", "a3", "-m mark --mark 0x0af40001 -j ACCEPT", ""},
		{"iptables-nft", "filter", "a4", "-p tcp --dport 80 -m comment --comment 10.244.0.1 -j ACCEPT", ""},
		{"iptables-nft", "nat", "b0", "-p tcp -j DNAT --to-destination 10.244.1.2:80", "10.244.1.2"},
		{"iptables-nft", "nat", "b1", "-j SNAT --to-source 10.244.1.2-10.244.1.9", "10.244.1.2-10.244.1.9"},
		{"iptables-nft", "nat", "b2", "-j NETMAP --to 10.244.0.0/16", "10.244.0.0/16"},
		{"ip6tables-nft", "filter", "c0", "-s fd00:10:244::/48 -d fd00::1 -j ACCEPT", "fd00:10:244::/48 fd00::1"},
		{"ip6tables-nft", "nat", "c1", "-p tcp -j DNAT --to-destination [fd00::1]:80", "fd00::1"},
		{"nft", "inet mine", "d0", "ip saddr 10.244.0.0/16 accept", "10.244.0.0/16"},
		{"nft", "inet mine", "d1", "ip daddr 10.244.0.3-10.244.0.9 accept", "10.244.0.3-10.244.0.9"},
		{"nft", "inet mine", "d2", "ip6 daddr fd00:10:244::/48 drop", "fd00:10:244::/48"},
		{"nft", "inet mine", "d3", "ip saddr != 10.244.7.1 meta mark 0x0af40001 accept", "10.244.7.1"},
		{"nft", "inet mine", "d4", "tcp sport 80 tcp sequence 183762945 accept", ""},
		{"nft", "inet mine", "d5", "iifname cni0 accept", "cni0"},
		{"nft", "inet mine", "d6", "oifname != \"cali*\" ip saddr 10.244.7.1 accept", "10.244.7.1 cali+"},
		{"iptables-nft", "filter", "a5", "-i cni0 -d 169.254.169.254 -j ACCEPT", "169.254.169.254 cni0"},
		{"iptables-nft", "filter", "a6", "! -o cali+ -j ACCEPT", "cali+"},
	}
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, "nft add table inet mine")
		for _, r := range rules {
			if r.tool == "nft" {
				hosttest.Script(t, "nft add chain "+r.table+" "+r.chain+"; nft add rule "+r.table+" "+r.chain+" "+r.rule)
				continue
			}
			hook := map[string]string{"b0": "PREROUTING", "b1": "POSTROUTING", "b2": "PREROUTING", "c1": "PREROUTING"}[r.chain]
			jump := ""
			if hook != "" { // a translation is known to the kernel only below its hook
				jump = "; " + r.tool + " -t " + r.table + " -A " + hook + " -j " + r.chain
			}
			hosttest.Script(t, r.tool+" -t "+r.table+" -N "+r.chain+jump+"; "+r.tool+" -t "+r.table+" -A "+r.chain+" "+r.rule)
		}
		tables, err := netfilter.ReadNft()
		hosttest.Must(t, err)
		got := map[string]string{}
		for _, table := range tables {
			for _, c := range table.Chains {
				for _, rule := range c.Rules {
					var words []string
					spans, links, _ := rule.Named(table.Family)
					for _, s := range spans {
						words = append(words, s.String())
					}
					words = append(words, links...)
					got[c.Name] += strings.Join(words, " ")
				}
			}
		}
		for _, r := range rules {
			if got[r.chain] != r.want {
				t.Errorf("%s %s: got %q, want %q", r.tool, r.rule, got[r.chain], r.want)
			}
		}
	})
}
