// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// A table of iptables' shape goes with the last of Kubernetes' chains only if nothing else
// is in it: the kernel refuses, and what it refuses for is an administrator's.
func TestATableInWhichSomethingForeignIsStays(t *testing.T) {
	const canary = "\nnft add chain ip raw KUBE-KUBELET-CANARY"
	for name, tc := range map[string]struct {
		plant string
		// stays is what is left of the table; empty if it goes.
		stays string
	}{
		"nothing":        {"iptables-nft -t raw -S > /dev/null", ""},
		"a set":          {"nft add set ip raw blocked '{ type ipv4_addr ; }'", "set blocked"},
		"a map":          {"nft add map ip raw ways '{ type ipv4_addr : ipv4_addr ; }'", "map ways"},
		"a counter":      {"nft add counter ip raw seen", "counter seen"},
		"an empty chain": {"nft add chain ip raw mine", "chain mine"},
		"an empty chain on a hook": {"nft add chain ip raw mine '{ type filter hook prerouting priority -300 ; policy accept ; }'",
			"chain mine"},
		"a set without a name, of a rule of ours": {"nft add chain ip raw KUBE-FIREWALL; " +
			"nft add rule ip raw KUBE-FIREWALL tcp dport '{ 1, 2 }' drop",
			""},
	} {
		for _, firewall := range []inventory.Firewall{"", inventory.FirewallFlush} {
			t.Run(name+" "+string(firewall), func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.choices.Firewall = firewall
					w.join()
					w.script("nft add table ip raw; " + tc.plant + canary)
					verdict := w.removed(w.target())
					left := w.script("nft list table ip raw 2>/dev/null || true")
					chain := strings.HasPrefix(tc.stays, "chain") && firewall == inventory.FirewallFlush
					if verdict.State != inventory.Clean || strings.Contains(left, "KUBE") ||
						strings.Contains(left, tc.stays) == chain && tc.stays != "" {
						w.Errorf("%s of %+v: %s", verdict.State, verdict, left)
					}
					if rest := strings.Fields(left); tc.stays == "" && len(rest) > 5 {
						w.Errorf("left: %s", left)
					}
				})
			})
		}
	}
}

// A chain to which a map of verdicts leads cannot be deleted, by whichever choice.
func TestAChainToWhichAMapLeadsStaysWhenAllRulesGo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.choices.Firewall = inventory.FirewallFlush
		w.join()
		w.script("nft add map ip filter mine '{ type inet_service : verdict; }'; nft add element ip filter mine '{ 22 : jump DOCKER-USER }'")
		if verdict := w.removed(w.target()); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		left := w.script("nft list table ip filter")
		if !strings.Contains(left, "map mine") || !strings.Contains(left, "chain DOCKER-USER") || strings.Contains(left, "tcp dport 23") {
			w.Errorf("left: %s", left)
		}
	})
}
