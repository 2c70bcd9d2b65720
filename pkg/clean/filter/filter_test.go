// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// legacy is one table as iptables-save prints it.
func legacy(t *testing.T, save string) netfilter.Table {
	t.Helper()
	tables, err := netfilter.ParseSave("ip", save)
	if err != nil || len(tables) != 1 {
		t.Fatal(tables, err)
	}
	return tables[0]
}

func TestWhatOfATableGoes(t *testing.T) {
	for _, tc := range []struct {
		name, save, want string
		others           bool
	}{
		{name: "nothing of a table without Kubernetes", save: `*filter
:INPUT DROP [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp --dport 22 -j ACCEPT
-A INPUT -j DOCKER-USER`, want: "*filter\nCOMMIT\n"},
		{name: "own chains, and the jumps to them from the kernel's", save: `*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -d 192.0.2.1 -j DNAT --to-destination 192.0.2.2
-A KUBE-SERVICES -d 10.96.0.10/32 -j KUBE-SVC-TCOU7JCQXEZGVUNU`, want: `*nat
-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-F KUBE-SERVICES
-F KUBE-SVC-TCOU7JCQXEZGVUNU
-X KUBE-SERVICES
-X KUBE-SVC-TCOU7JCQXEZGVUNU
COMMIT
`},
		{name: "a jump that is there twice goes twice", save: `*filter
:FORWARD ACCEPT [0:0]
:FLANNEL-FWD - [0:0]
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD`, want: `*filter
-D FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-D FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-F FLANNEL-FWD
-X FLANNEL-FWD
COMMIT
`},
		{name: "a rule that says it is flannel's, of the time before it had chains", save: `*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE
-A POSTROUTING -s 10.0.0.0/16 -m comment --comment "flanneld masq of mine" -j MASQUERADE`, want: `*nat
-D POSTROUTING -s 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE
COMMIT
`},
		{name: "a chain that a foreign chain jumps to is emptied and stays, and so does the jump", save: `*filter
:FORWARD ACCEPT [0:0]
:KUBE-FORWARD - [0:0]
:MINE - [0:0]
-A FORWARD -j KUBE-FORWARD
-A MINE -j KUBE-FORWARD
-A KUBE-FORWARD -j ACCEPT`, want: "*filter\n-D FORWARD -j KUBE-FORWARD\n-F KUBE-FORWARD\nCOMMIT\n"},
		{name: "names that are only alike are foreign", save: `*filter
:INPUT ACCEPT [0:0]
:KUBE-ADMIN-ALLOW - [0:0]
:MY-KUBE-SERVICES - [0:0]
:KUBE-SERVICES-2 - [0:0]
:CNI-mine - [0:0]
:calico - [0:0]
-A INPUT -j KUBE-ADMIN-ALLOW
-A KUBE-ADMIN-ALLOW -s 192.0.2.0/24 -j ACCEPT`, want: "*filter\nCOMMIT\n"},
		{name: "the chains of port mappings and masquerading", save: `*nat
:PREROUTING ACCEPT [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-DN-6b7d7c1ffd1f3b6ab4a5d - [0:0]
:CNI-4b1b8f0bd1a3c2f0a9d1e2c3 - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT`, want: `*nat
-D PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-F CNI-HOSTPORT-DNAT
-F CNI-DN-6b7d7c1ffd1f3b6ab4a5d
-F CNI-4b1b8f0bd1a3c2f0a9d1e2c3
-X CNI-HOSTPORT-DNAT
-X CNI-DN-6b7d7c1ffd1f3b6ab4a5d
-X CNI-4b1b8f0bd1a3c2f0a9d1e2c3
COMMIT
`},
		{name: "the chains of another CNI network stay, and of the chains it shares with us only our jumps go", save: `*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-DN-0123456789abcdef01234 - [0:0]
:CNI-DN-ffffffffffffffffffff0 - [0:0]
:CNI-ffffffffffffffffffff0000 - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -s 10.88.0.2/32 -m comment --comment "name: \"podman\" id: \"f\"" -j CNI-ffffffffffffffffffff0000
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"cbr0\" id: \"0\"" -j CNI-DN-0123456789abcdef01234
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"podman\" id: \"f\"" -j CNI-DN-ffffffffffffffffffff0
-A CNI-DN-0123456789abcdef01234 -j RETURN
-A CNI-DN-ffffffffffffffffffff0 -j RETURN`, want: `*nat
-D CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"cbr0\" id: \"0\"" -j CNI-DN-0123456789abcdef01234
-F CNI-DN-0123456789abcdef01234
-X CNI-DN-0123456789abcdef01234
COMMIT
`},
		{name: "the firewall plugin's chains stay if there are other networks", others: true, save: `*filter
:FORWARD ACCEPT [0:0]
:CNI-FORWARD - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
-A FORWARD -j CNI-FORWARD
-A CNI-FORWARD -s 10.88.0.2/32 -j ACCEPT`, want: "*filter\n-F CNI-HOSTPORT-MASQ\n-X CNI-HOSTPORT-MASQ\nCOMMIT\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, divide(legacy(t, tc.save), ownership.FilterSigns(tc.others, everyOwner)).deletion().Restore()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// native is an nft table with a chain of a name and one rule.
func native(family, name string, chains ...netfilter.Chain) netfilter.Table {
	return netfilter.Table{Backend: netfilter.Nft, Family: family, Name: name, Chains: chains}
}

func TestWhatOfAnNftTableGoes(t *testing.T) {
	base := func(name string, rules ...netfilter.Rule) netfilter.Chain {
		return netfilter.Chain{Name: name, Base: true, Policy: "accept", Rules: rules}
	}
	to := func(handle uint64, targets ...string) netfilter.Rule {
		return netfilter.Rule{Handle: handle, Targets: targets}
	}
	kube := netfilter.Chain{Name: "KUBE-SERVICES"}
	for _, tc := range []struct {
		name   string
		table  netfilter.Table
		want   netfilter.Deletion
		others bool
	}{
		{name: "kube-proxy's own table, all of it", table: native("ip", "kube-proxy", base("x")), want: netfilter.Deletion{Whole: true}},
		{name: "a table of that name in another family is not kube-proxy's", table: native("inet", "kube-proxy", base("x")),
			want: netfilter.Deletion{}},
		{name: "a chain called KUBE-SERVICES in someone's own table", table: native("inet", "mine", kube), want: netfilter.Deletion{}},
		{name: "a table that held nothing but ours goes, if it is empty then", table: native("ip", "nat", base("OUTPUT", to(3, "KUBE-SERVICES")),
			base("INPUT"), kube),
			want: netfilter.Deletion{
				Rules: map[string][]netfilter.Rule{"OUTPUT": {to(3,
					"KUBE-SERVICES")}}, Flush: []string{"KUBE-SERVICES"}, Chains: []string{"KUBE-SERVICES"},
				Bare: []string{"OUTPUT", "INPUT"}, Drop: true,
			}},
		{name: "of a shared table, the kernel's chain that held only ours", table: native("ip", "nat", base("OUTPUT", to(3, "KUBE-SERVICES")),
			base("INPUT", to(5)), base("PREROUTING"), kube),
			want: netfilter.Deletion{
				Rules: map[string][]netfilter.Rule{"OUTPUT": {to(3,
					"KUBE-SERVICES")}}, Flush: []string{"KUBE-SERVICES"}, Chains: []string{"KUBE-SERVICES"},
				Bare: []string{"OUTPUT"},
			}},
		{name: "a chain whose policy is drop stays", table: native("ip", "filter", netfilter.Chain{Name: "INPUT", Base: true, Policy: "drop",
			Rules: []netfilter.Rule{to(2, "KUBE-SERVICES")}}, kube),
			want: netfilter.Deletion{Rules: map[string][]netfilter.Rule{"INPUT": {to(2, "KUBE-SERVICES")}}, Flush: []string{"KUBE-SERVICES"},
				Chains: []string{"KUBE-SERVICES"}}},
		{name: "a table of the CNI plugins, unless other networks use it too", table: native("inet", "cni_plugins_masquerade",
			base("x")), others: true},
		{name: "an empty table in which nothing is ours", table: native("ip", "nat", base("OUTPUT")), want: netfilter.Deletion{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := divide(tc.table, ownership.FilterSigns(tc.others, everyOwner)).deletion()
			tc.want.Table, got.Table = netfilter.Table{}, netfilter.Table{}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(netfilter.Rule{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheItemsOfATableNameEachChainAndJump(t *testing.T) {
	d := divide(legacy(t, `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:KUBE-FIREWALL - [0:0]
:f2b-sshd - [0:0]
-A INPUT -j KUBE-FIREWALL
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "flanneld forward" -j ACCEPT
-A FORWARD -j f2b-sshd
-A KUBE-FIREWALL -j DROP`), ownership.FilterSigns(false, everyOwner))
	var got []string
	for _, it := range d.items() {
		got = append(got, it.String()+" | "+string(it.Owner)+" | "+string(it.Fate)+" | "+it.Detail)
	}
	want := []string{
		"table legacy ip filter | foreign | stays | 2 foreign chains, 1 foreign rules",
		"chain KUBE-FIREWALL (legacy ip filter) | kubelet | goes | 1 rules",
		"jump INPUT → KUBE-FIREWALL (legacy ip filter) | kubelet | goes | ",
		"jump INPUT → KUBE-FIREWALL (2) (legacy ip filter) | kubelet | goes | ",
		"jump FORWARD # flanneld forward (legacy ip filter) | flannel | goes | flanneld forward",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheForeignDigestIsThatOfTheTableAfterTheRemoval(t *testing.T) {
	const foreign = "*filter\n:INPUT DROP [0:0]\n:f2b-sshd - [0:0]\n%s-A INPUT -j f2b-sshd\n-A f2b-sshd -j RETURN\n"
	with := divide(legacy(t, strings.Replace(foreign, "%s", ":KUBE-FIREWALL - [0:0]\n-A INPUT -j KUBE-FIREWALL\n", 1)),
		ownership.FilterSigns(false, everyOwner)).foreign()
	without := divide(legacy(t, strings.Replace(foreign, "%s", "", 1)), ownership.FilterSigns(false, everyOwner)).foreign()
	if with.Digest == "" || with.Digest != without.Digest || with.Detail != without.Detail {
		t.Errorf("with %+v, without %+v", with, without)
	}
}

// everyOwner is a host on which every network has another sign.
func everyOwner(inventory.Owner, ...inventory.Kind) bool { return true }
