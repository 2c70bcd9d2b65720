// SPDX-License-Identifier: Apache-2.0

package netfilter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

func read(t *testing.T, name string) netfilter.Table {
	t.Helper()
	tables, err := netfilter.ReadNft()
	hosttest.Must(t, err)
	for _, table := range tables {
		if table.String() == name {
			return table
		}
	}
	t.Fatalf("no table %q in %v", name, tables)
	return netfilter.Table{}
}

// ruleset is what the test beside reads back; nothing of it is Kubernetes'.
const ruleset = `
iptables-nft -t nat -N KUBE-A; iptables-nft -t nat -N KUBE-B; iptables-nft -t nat -A KUBE-A -j KUBE-B
iptables-nft -t nat -A PREROUTING -m comment --comment "to a" -j KUBE-A
iptables-nft -t nat -A PREROUTING -p tcp --dport 80 -j RETURN
iptables-nft -t nat -A KUBE-B -m statistic --mode random --probability 0.5 -p tcp -j DNAT --to-destination 10.0.0.1:80
nft add table inet mine
nft 'add chain inet mine in { type filter hook input priority 0; policy drop; }'
nft 'add rule inet mine in tcp dport vmap { 22 : accept, 23 : drop } comment "ports"'
`

func TestReadNftSeesChainsJumpsAndComments(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		if tables, err := netfilter.ReadNft(); err != nil || len(tables) != 0 {
			t.Fatalf("an empty kernel has %v, %v", tables, err)
		}
		hosttest.Script(t, ruleset)
		nat := read(t, "nft ip nat")
		if !nat.Compatible() || nat.Rules() != 4 || nat.Generation == 0 {
			t.Errorf("nat: %d rules, generation %d", nat.Rules(), nat.Generation)
		}
		pre := nat.Chain("PREROUTING")
		if pre == nil || !pre.Base || pre.Policy != "accept" || len(pre.Rules) != 2 {
			t.Fatalf("PREROUTING: %+v", pre)
		}
		if diff := cmp.Diff([]string{"KUBE-A"}, pre.Rules[0].Targets); diff != "" || strings.Join(pre.Rules[0].Comments, "|") != "to a" {
			t.Errorf("jump: %+v", pre.Rules[0])
		}
		mine := read(t, "nft inet mine")
		if in := mine.Chain("in"); mine.Compatible() || in.Policy != "drop" || strings.Join(in.Rules[0].Comments, "|") != "ports" {
			t.Errorf("mine: %+v", mine)
		}
	})
}

func TestDeleteNftTakesWhatItIsToldAndNothingElse(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, ruleset)
		nat := read(t, "nft ip nat")
		d := netfilter.Deletion{
			Table: nat, Rules: map[string][]netfilter.Rule{"PREROUTING": nat.Chain("PREROUTING").Rules[:1]},
			Flush: []string{"KUBE-A", "KUBE-B"}, Chains: []string{"KUBE-A", "KUBE-B"},
		}
		hosttest.Must(t, netfilter.DeleteNft(d))
		left, there := d.After()
		left.Generation++
		if diff := cmp.Diff(read(t, "nft ip nat"), left); diff != "" || !there {
			t.Errorf("what is left is not what was foreseen (there %v):\n%s", there, diff)
		}
		got := hosttest.Run(t, "iptables-nft-save", "-t", "nat")
		if strings.Contains(got, "KUBE") || !strings.Contains(got, "-A PREROUTING -p tcp -m tcp --dport 80 -j RETURN") {
			t.Errorf("nat is now:\n%s", got)
		}
		hosttest.Must(t, netfilter.DeleteNft(netfilter.Deletion{Table: read(t, "nft inet mine"), Whole: true}))
		if got := hosttest.Run(t, "nft", "list", "tables"); got != "table ip nat\n" {
			t.Errorf("tables: %q", got)
		}
	})
}

func TestNothingIsDeletedIfAnythingChangedSinceTheLook(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, ruleset)
		old := read(t, "nft ip nat")
		hosttest.Script(t, `iptables-nft -t nat -A KUBE-A -j ACCEPT`)
		before := hosttest.Run(t, "nft", "list", "ruleset")
		err := netfilter.DeleteNft(netfilter.Deletion{Table: old, Flush: []string{"KUBE-A"}})
		if !errors.Is(err, netfilter.ErrChanged) {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff(before, hosttest.Run(t, "nft", "list", "ruleset")); diff != "" {
			t.Errorf("it changed something:\n%s", diff)
		}
	})
}

func TestATransactionThatCannotBeMadeChangesNothing(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, ruleset)
		before := hosttest.Run(t, "nft", "list", "ruleset")
		for name, d := range map[string]netfilter.Deletion{
			"a chain that is jumped to":     {Flush: []string{"KUBE-B"}, Chains: []string{"KUBE-B"}},
			"a chain that does not exist":   {Flush: []string{"KUBE-A", "KUBE-NONE"}},
			"a bare chain that has rules":   {Flush: []string{"KUBE-A"}, Bare: []string{"PREROUTING"}},
			"a bare table that has chains":  {Flush: []string{"KUBE-A"}, Drop: true},
			"a rule that is not there":      {Rules: map[string][]netfilter.Rule{"PREROUTING": {{Handle: 9999}}}},
			"a rule without a number stays": {Rules: map[string][]netfilter.Rule{"PREROUTING": {{}}}, Chains: []string{"KUBE-NONE"}},
		} {
			d.Table = read(t, "nft ip nat")
			if err := netfilter.DeleteNft(d); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if diff := cmp.Diff(before, hosttest.Run(t, "nft", "list", "ruleset")); diff != "" {
			t.Errorf("something changed:\n%s", diff)
		}
	})
}

func TestTenThousandRulesAreReadAndDeletedAtOnce(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `{ echo '*nat'; for n in $(seq 2500); do echo ":KUBE-SEP-$n - [0:0]"; done
			for n in $(seq 2500); do echo "-A KUBE-SEP-$n -s 10.0.0.1/32 -j RETURN
-A KUBE-SEP-$n -p tcp -j DNAT --to-destination 10.0.0.1:80
-A PREROUTING -d 10.1.0.1/32 -p tcp -j KUBE-SEP-$n
-A PREROUTING -s 192.0.2.1/32 -p tcp -j RETURN"; done; echo COMMIT; } | iptables-nft-restore`)
		nat := read(t, "nft ip nat")
		d := netfilter.Deletion{Table: nat, Rules: map[string][]netfilter.Rule{}}
		for _, r := range nat.Chain("PREROUTING").Rules {
			if len(r.Targets) > 0 {
				d.Rules["PREROUTING"] = append(d.Rules["PREROUTING"], r)
			}
		}
		for _, c := range nat.Chains {
			if !c.Base {
				d.Flush, d.Chains = append(d.Flush, c.Name), append(d.Chains, c.Name)
			}
		}
		if nat.Rules() != 10000 || len(d.Rules["PREROUTING"]) != 2500 || len(d.Chains) != 2500 {
			t.Fatalf("read %d rules, %d jumps, %d chains", nat.Rules(), len(d.Rules["PREROUTING"]), len(d.Chains))
		}
		hosttest.Must(t, netfilter.DeleteNft(d))
		if left := read(t, "nft ip nat"); left.Rules() != 2500 {
			t.Errorf("%d rules left", left.Rules())
		}
	})
}

func TestLegacyTablesAreNotMadeByLooking(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		tables, err := netfilter.ReadLegacy(t.Context(), host.Local{}, "ip")
		if err != nil || tables != nil {
			t.Errorf("got %v, %v", tables, err)
		}
		if names := hosttest.Script(t, "cat /proc/net/ip_tables_names"); names != "" {
			t.Errorf("there are %q now", names)
		}
	})
}

func TestDeleteLegacyIsOneTransaction(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, `iptables-legacy -t nat -N KUBE-A; iptables-legacy -t nat -A KUBE-A -j RETURN
			iptables-legacy -t nat -A PREROUTING -m comment --comment "say \"hi\"" -j KUBE-A; iptables-legacy -t nat -A PREROUTING -j KUBE-A
			iptables-legacy -t nat -A PREROUTING -s 192.0.2.1 -j ACCEPT`)
		tables, err := netfilter.ReadLegacy(t.Context(), host.Local{}, "ip")
		hosttest.Must(t, err)
		if len(tables) != 1 {
			t.Fatalf("tables: %v", tables)
		}
		rules := tables[0].Chain("PREROUTING").Rules
		d := netfilter.Deletion{Table: tables[0], Rules: map[string][]netfilter.Rule{"PREROUTING": rules[:2]}, Flush: []string{"KUBE-A"},
			Chains: []string{"KUBE-A", "KUBE-NONE"}}
		if err := netfilter.Delete(t.Context(), host.Local{}, d); err == nil {
			t.Error("deleting a chain that does not exist is no error")
		}
		if again, _ := netfilter.ReadLegacy(t.Context(), host.Local{}, "ip"); again[0].Rules() != 4 {
			t.Errorf("half a transaction: %+v", again)
		}
		d.Chains = []string{"KUBE-A"}
		hosttest.Must(t, netfilter.Delete(t.Context(), host.Local{}, d))
		if got := hosttest.Script(t, "iptables-legacy -t nat -S"); strings.Contains(got, "KUBE") || !strings.Contains(got, "192.0.2.1") {
			t.Errorf("nat is now:\n%s", got)
		}
	})
}

func TestIPSetsAreListedAndDestroyed(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		names, err := netfilter.IPSets()
		if err != nil || len(names) != 0 {
			t.Fatalf("got %v, %v", names, err)
		}
		hosttest.Must(t, netfilter.DestroyIPSet("KUBE-NONE"))
	})
}
