// SPDX-License-Identifier: Apache-2.0

package netfilter_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// mixed are rules of ours between those of others, with every extension that
// looks at the protocol of its rule; %s is the tool.
const mixed = `
i=%s
$i -P FORWARD DROP; $i -N KUBE-FIREWALL; $i -N KUBE-FORWARD; $i -N KUBE-EMPTY; $i -N DOCKER-USER
$i -A INPUT -m comment --comment "first of \"ours\"" -j KUBE-FIREWALL
$i -A INPUT -m conntrack --ctstate NEW -j KUBE-FORWARD
$i -A INPUT -p tcp --dport 22 -m comment --comment theirs -j ACCEPT
$i -A INPUT -p tcp -m tcp --dport 6443 -m comment --comment kubernetes -j KUBE-FORWARD
$i -A INPUT -p udp -j DOCKER-USER
$i -A INPUT -j KUBE-FIREWALL
$i -A FORWARD -j DOCKER-USER; $i -A FORWARD -j KUBE-FORWARD
$i -A KUBE-FORWARD -p tcp -m multiport --dports 80,443,8000:8100 -j ACCEPT
$i -A KUBE-FORWARD ! -p tcp -m mark --mark 0x4000/0x4000 -j ACCEPT
$i -A KUBE-FORWARD -p tcp -m tcp --tcp-flags SYN,ACK SYN -j REJECT --reject-with tcp-reset
$i -A KUBE-FORWARD -s %s -i eth+ ! -o lo -p udp -m udp --sport 53 -j ACCEPT
$i -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP; $i -A KUBE-FIREWALL -j KUBE-FORWARD
$i -t nat -N KUBE-SERVICES; $i -t nat -A PREROUTING -j KUBE-SERVICES
$i -t nat -A KUBE-SERVICES -p tcp -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination %s
$i -t nat -A KUBE-SERVICES -p udp -m addrtype --dst-type LOCAL -j REDIRECT --to-ports 53
$i -t nat -A POSTROUTING -m mark --mark 1 -j MASQUERADE --random-fully
$i -t nat -A KUBE-SERVICES -j MARK --set-xmark 0x4000/0x4000
$i -t mangle -N KUBE-ALONE; $i -t mangle -A OUTPUT -j KUBE-ALONE; $i -t mangle -A KUBE-ALONE -j RETURN
`

// ours is the deletion of all that is called KUBE from a table.
func ours(table netfilter.Table) netfilter.Deletion {
	d := netfilter.Deletion{Table: table, Rules: map[string][]netfilter.Rule{}}
	mine := func(name string) bool { return strings.HasPrefix(name, "KUBE-") }
	for _, c := range table.Chains {
		if mine(c.Name) {
			d.Flush, d.Chains = append(d.Flush, c.Name), append(d.Chains, c.Name)
			continue
		}
		for _, r := range c.Rules {
			if slices.ContainsFunc(r.Targets, mine) {
				d.Rules[c.Name] = append(d.Rules[c.Name], r)
			}
		}
	}
	if table.Backend == netfilter.Nft && table.Name == "mangle" {
		d.Bare, d.Drop = []string{"OUTPUT"}, true
	}
	return d
}

func TestWhatWasDeletedComesBackAsItWas(t *testing.T) {
	for _, c := range []struct{ tool, source, to, backend, family string }{
		{"iptables-nft", "10.1.0.0/16", "10.0.0.1:80", "nft", "ip"}, {"ip6tables-nft", "fd00::/64", "[fd00::1]:80", "nft", "ip6"},
		{"iptables-legacy", "10.1.0.0/16", "10.0.0.1:80", "legacy", "ip"}, {"ip6tables-legacy", "fd00::/64", "[fd00::1]:80", "legacy", "ip6"},
	} {
		t.Run(c.tool, func(t *testing.T) {
			hosttest.Isolate(t, func(t *testing.T, _ string) {
				hosttest.Script(t, fmt.Sprintf(mixed, c.tool, c.source, c.to))
				text := func() string {
					return hosttest.Script(t, c.tool+`-save | grep -v '^#' | sed -E 's/\[[0-9:]+\]/[0:0]/' |
						awk '/^\*/ { t = $0 } /^:/ { print t, $0 | "sort"; next } { print t, $0 }'`)
				}
				before := text()
				printedAndRead(t, c.backend, c.family)
				for _, name := range []string{"filter", "nat", "mangle"} {
					d := ours(table(t, c.backend, c.family, name))
					hosttest.Must(t, netfilter.Delete(t.Context(), host.Local{}, d))
					if got := text(); strings.Contains(got, "*"+name+" -A KUBE") {
						t.Fatalf("%s: nothing was deleted:\n%s", name, got)
					}
					hosttest.Script(t, fmt.Sprintf("%s -t %s -A OUTPUT -m comment --comment meanwhile -j ACCEPT", c.tool, name))
					hosttest.Must(t, netfilter.Restore(t.Context(), host.Local{}, d.Kept()))
					hosttest.Script(t, fmt.Sprintf("%s -t %s -D OUTPUT -m comment --comment meanwhile -j ACCEPT", c.tool, name))
					if diff := cmp.Diff(before, text()); diff != "" {
						t.Errorf("%s (-before +after):\n%s", name, diff)
					}
					if c.backend == "nft" {
						hosttest.Must(t, netfilter.Restore(t.Context(), host.Local{}, d.Kept()))
						if diff := cmp.Diff(before, text()); diff != "" {
							t.Errorf("%s, twice (-before +after):\n%s", name, diff)
						}
					}
				}
			})
		})
	}
}

// printedAndRead prints tables and reads them again: they are the same.
func printedAndRead(t *testing.T, backend, family string) {
	t.Helper()
	var before []netfilter.Table
	for _, name := range []string{"filter", "nat", "mangle"} {
		before = append(before, table(t, backend, family, name))
		one := &before[len(before)-1]
		one.Generation = 0
		one.Use = 0
		for i := range one.Chains {
			one.Chains[i].Use = 0 // the kernel counts it
		}
	}
	var text bytes.Buffer
	to := bufio.NewWriter(&text)
	for _, one := range before {
		one.Print(to)
	}
	hosttest.Must(t, to.Flush())
	after, err := netfilter.ReadTables(bufio.NewReader(&text))
	hosttest.Must(t, err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +printed and read):\n%s", diff)
	}
}

// table reads one table of either backend.
func table(t *testing.T, backend, family, name string) netfilter.Table {
	t.Helper()
	if backend == "nft" {
		return read(t, "nft "+family+" "+name)
	}
	tables, err := netfilter.ReadLegacy(t.Context(), host.Local{}, family)
	hosttest.Must(t, err)
	at := slices.IndexFunc(tables, func(t netfilter.Table) bool { return t.Name == name })
	if at < 0 {
		t.Fatalf("no table %s", name)
	}
	return tables[at]
}

func TestAWholeTableDoesNotComeBack(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		hosttest.Script(t, "nft add table ip kube-proxy")
		err := netfilter.Restore(t.Context(), host.Local{}, netfilter.Deletion{Table: read(t, "nft ip kube-proxy"), Whole: true})
		if !errors.Is(err, netfilter.ErrNoUndo) {
			t.Errorf("got %v", err)
		}
	})
}
