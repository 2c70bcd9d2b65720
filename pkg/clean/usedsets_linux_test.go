// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// What a foreign rule refers to is known before anything is deleted, whichever way it
// refers: the kernel keeps that, and the rule is not ours to delete.
func TestWhatAForeignRuleRefersToStaysWithIt(t *testing.T) {
	const ours = "KUBE-CLUSTER-IP"
	const show = "iptables-legacy-save -t filter | grep -i set || true; nft list chain ip filter INPUT | grep -v KUBE || true"
	for name, tc := range map[string]struct {
		plant string
		// set stays for it; empty if none does.
		set string
		// chain stays, empty.
		chain string
	}{
		"nothing":                         {plant: "true"},
		"our own rule, which goes":        {plant: "iptables-nft -t nat -A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst -j ACCEPT"},
		"a match of iptables-nft":         {plant: "iptables-nft -A INPUT -m set --match-set KUBE-CLUSTER-IP dst -j DROP", set: ours},
		"a match of iptables-legacy":      {plant: "iptables-legacy -A INPUT -m set --match-set KUBE-CLUSTER-IP dst -j DROP", set: ours},
		"a target that fills it":          {plant: "iptables-nft -A INPUT -j SET --add-set KUBE-CLUSTER-IP src", set: ours},
		"a target that empties it":        {plant: "iptables-legacy -A INPUT -j SET --del-set KUBE-CLUSTER-IP src", set: ours},
		"a match in a chain of the admin": {plant: "iptables-nft -A f2b-sshd -m set ! --match-set KUBE-CLUSTER-IP dst -j DROP", set: ours},
		"a match of a foreign set":        {plant: "iptables-nft -A INPUT -m set --match-set f2b-sshd src -j DROP"},
		"a comment that only says it":     {plant: `iptables-legacy -A INPUT -m comment --comment "--match-set KUBE-CLUSTER-IP" -j DROP`},
		"a map of verdicts": {plant: `nft add map ip filter mine '{ type inet_service : verdict; }'
			nft add element ip filter mine '{ 22 : jump KUBE-FORWARD }'`, chain: "KUBE-FORWARD"},
		"a rule with a map in it": {plant: `nft add rule ip filter INPUT tcp dport vmap '{ 22 : jump KUBE-FORWARD }'`, chain: "KUBE-FORWARD"},
		"a rule that jumps":       {plant: "iptables-nft -A f2b-sshd -j KUBE-FORWARD", chain: "KUBE-FORWARD"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				for _, set := range []string{"KUBE-CLUSTER-IP", "f2b-sshd"} {
					hosttest.Must(t, netlink.IpsetCreate(set, "hash:ip", netlink.IpsetCreateOptions{}))
				}
				w.join()
				w.script(tc.plant)
				stays := func(inv inventory.Inventory) string {
					for _, it := range inv.With(inventory.Stays) {
						if it.Kind == inventory.KindIPSet && it.Name != "f2b-sshd" {
							if !strings.Contains(it.Refers, "a rule that is not ours uses it: table ") {
								w.Errorf("it does not say by what: %+v", it)
							}
							return it.Name
						}
					}
					return ""
				}
				if got := stays(w.survey()); got != tc.set {
					w.Errorf("before, %q is to stay", got)
				}
				foreign := w.script(show)
				verdict := w.remove()
				want := inventory.Clean
				if tc.set != "" {
					want = inventory.CleanBut
				}
				after := w.survey()
				if verdict.State != want || stays(after) != tc.set {
					w.Errorf("verdict: %+v; %q stays", verdict, stays(after))
				}
				pinned := slices.ContainsFunc(after.With(inventory.Harmless), func(it inventory.Item) bool {
					return it.Kind == inventory.KindChain && it.Name == tc.chain && strings.HasPrefix(it.Why, "empty; ")
				})
				if pinned != (tc.chain != "") || strings.Contains(w.script("nft list ruleset; iptables-legacy-save"), "chain "+"KUBE-FORWARD") !=
					(tc.chain != "") {
					w.Errorf("chain %q: %s", tc.chain, w.script("nft list table ip filter"))
				}
				if now := w.script(show); now != foreign {
					w.Errorf("foreign rules were:\n%s\nand are:\n%s", foreign, now)
				}
			})
		})
	}
}
