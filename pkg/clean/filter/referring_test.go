// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
)

func TestForeignRulesThatNameTheClustersNetworks(t *testing.T) {
	const pods, services = "of the cluster's pod network 10.244.0.0/16", "of the cluster's Service network 10.96.0.0/12"
	facts := inventory.Facts{PodCIDRs: []string{"10.244.0.0/16", "no network"}, ServiceCIDRs: []string{"10.96.0.0/12"}}
	for name, tc := range map[string]struct {
		rules, want string
		choices     inventory.Choices
		facts       inventory.Facts
	}{
		"the whole pod network": {rules: "-A FORWARD -s 10.244.0.0/16 -j ACCEPT", want: "it names 10.244.0.0/16, " + pods, facts: facts},
		"a node's part of it":   {rules: "-A FORWARD ! -d 10.244.3.0/24 -j DROP", want: "it names 10.244.3.0/24, " + pods, facts: facts},
		"a Service":             {rules: "-A INPUT -d 10.96.0.10 -p udp -j ACCEPT", want: "it names 10.96.0.10, " + services, facts: facts},
		"a range of Services": {rules: "-A INPUT -m iprange --dst-range 10.96.0.8-10.97.0.1 -j ACCEPT",
			want: "it names 10.96.0.8-10.97.0.1, " + services, facts: facts},
		"in a person's own chain":    {rules: "-A mine -s 10.244.0.0/16 -j ACCEPT", want: "it names 10.244.0.0/16, " + pods, facts: facts},
		"all private addresses":      {rules: "-A FORWARD -s 10.0.0.0/8 -j ACCEPT", facts: facts},
		"everything":                 {rules: "-A FORWARD -s 0.0.0.0/0 -j ACCEPT", facts: facts},
		"another network":            {rules: "-A FORWARD -s 10.245.0.0/16 -j ACCEPT", facts: facts},
		"a comment alone":            {rules: `-A FORWARD -m comment --comment "10.244.0.0/16" -j ACCEPT`, facts: facts},
		"of kube-proxy's":            {rules: "-A KUBE-SERVICES -d 10.96.0.10 -j ACCEPT", facts: facts},
		"that leads to kube-proxy's": {rules: "-A INPUT -d 10.96.0.10 -j KUBE-SERVICES", facts: facts},
		"where all rules are to go": {rules: "-A FORWARD -s 10.244.0.0/16 -j ACCEPT", facts: facts,
			choices: inventory.Choices{Firewall: inventory.FirewallFlush}},
		"where no rule is to be touched": {rules: "-A FORWARD -s 10.244.0.0/16 -j ACCEPT",
			choices: inventory.Choices{Firewall: inventory.FirewallNone}, want: "it names 10.244.0.0/16, " + pods, facts: facts},
		"a network's link": {rules: "-A FORWARD -i cni0 -d 169.254.169.254 -j ACCEPT", want: "it names link cni0, as cni-plugins calls its own",
			facts: facts},
		"all links of a network's": {rules: "-A FORWARD ! -o cali+ -j ACCEPT", want: "it names link cali+, as calico calls its own",
			facts: facts},
		"a link of a network it never had":      {rules: "-A FORWARD -i weave -j ACCEPT", facts: facts},
		"a link of the host's":                  {rules: "-A FORWARD -i eth0 -j ACCEPT", facts: facts},
		"a comment with a link":                 {rules: `-A FORWARD -m comment --comment "-i cni0" -j ACCEPT`, facts: facts},
		"of a cluster that nothing is known of": {rules: "-A FORWARD -s 10.244.0.0/16 -j ACCEPT"},
	} {
		t.Run(name, func(t *testing.T) {
			table := legacy(t, "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:mine - [0:0]\n"+tc.rules)
			d := divideAs(tc.choices, table, ownership.FilterSigns(false, nil))
			var got []string
			for _, it := range d.referring(clusterNetworks(tc.facts), had) {
				got = append(got, it.Refers)
				if it.Name != tc.rules || it.Fate != inventory.Stays || it.Owner != inventory.Foreign || it.In != "legacy ip filter" {
					t.Errorf("got %+v", it)
				}
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, "; ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHowManyForeignRulesAreNamed(t *testing.T) {
	for n, want := range map[int]int{mostReferring: mostReferring, mostReferring + 3: mostReferring + 1} {
		save := "*filter\n:FORWARD ACCEPT [0:0]\n"
		for i := range n {
			save += fmt.Sprintf("-A FORWARD -s 10.244.%d.1 -j ACCEPT\n", i)
		}
		networks := clusterNetworks(inventory.Facts{PodCIDRs: []string{"10.244.0.0/16"}})
		got := divide(legacy(t, save), ownership.FilterSigns(false, nil)).referring(networks, had)
		if len(got) != want || n > mostReferring && got[want-1].Name != "3 more rules" {
			t.Errorf("of %d rules %d are named, the last as %s", n, len(got), got[len(got)-1])
		}
	}
}

// had are the networks that this host had.
func had(name string) inventory.Owner {
	if owner := ownership.LinkNamed(name); owner != inventory.Weave {
		return owner
	}
	return inventory.Foreign
}
