// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

func TestAFlushTakesEveryRuleOfIptablesAndNothingElse(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.choices.Firewall = inventory.FirewallFlush
		w.reach = w.listen()
		w.script("ip link set lo up; iptables-nft -P INPUT DROP; iptables-nft -I INPUT -j ACCEPT; nft list table inet mine > mine.before")
		var seen []string
		for _, it := range w.survey().Ours() {
			if it.Kind == inventory.KindChain && it.Owner == inventory.Foreign {
				seen = append(seen, it.In+" "+it.Name)
			}
		}
		for _, want := range []string{"nft ip filter DOCKER-USER", "legacy ip filter INPUT", "nft ip6 filter f2b-sshd",
			"legacy ip filter FORWARD"} {
			if !strings.Contains(strings.Join(seen, "\n")+"\n", want+"\n") {
				w.Errorf("the inventory does not name %s as going: %v", want, seen)
			}
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		for line := range strings.Lines(w.rules()) {
			if strings.Contains(line, " -A ") || strings.Contains(line, " - [") || strings.Contains(line, "DROP") {
				w.Errorf("left: %s", line)
			}
		}
		w.script("nft list table inet mine | diff mine.before -; rm mine.before")
		if err := w.reach(w.Context()); err != nil {
			w.Errorf("it is not reached: %v", err)
		}
	})
}

func TestAFlushThatCutsTheHostOffIsTakenBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.choices.Firewall = inventory.FirewallFlush
		w.reach = w.listen()
		// The host is reached only through a translation of somebody's.
		w.script(`ip link set lo up; nft add table inet wall; nft 'add chain inet wall in { type filter hook input priority 10; policy accept; }'
nft 'add rule inet wall in tcp dport 6443 meta mark != 7 drop'; iptables-nft -t mangle -A INPUT -p tcp --dport 6443 -j MARK --set-mark 7
iptables-nft -P FORWARD DROP; iptables-legacy -P FORWARD DROP`)
		before := w.rules()
		_, err := w.filterStep().Run(w.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "so they are back") {
			w.Errorf("got %v", err)
		}
		if diff := cmp.Diff(before, w.rules()); diff != "" {
			w.Errorf("(-before +after):\n%s", diff)
		}
		hosttest.Must(w.T, w.reach(w.Context()))
	})
}

// The kernel here may have no IPVS: what it says is written by hand, so that nothing
// can be deleted.
func TestAHostWhoseVirtualServicesStayIsNotClean(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("mkdir -p proc/net; printf 'TCP  0AF40001:01BB rr\\nTCP  C000020A:0050 rr\\n' > proc/net/ip_vs")
		target := w.target()
		target.Facts.ServiceCIDRs = []string{"10.244.0.0/24"}
		before, err := target.Survey(w.Context())
		hosttest.Must(w.T, err)
		done, err := target.Recipe().Run(w.Context(), nil)
		if err == nil || done.Failed != "virtual-services" {
			w.Errorf("failed: %q, %v", done.Failed, err)
		}
		after, err := target.Survey(w.Context())
		hosttest.Must(w.T, err)
		verdict := inventory.Verify(before, after)
		named := func(name string) bool {
			return slices.ContainsFunc(verdict.Remaining, func(it inventory.Item) bool { return it.Name == name })
		}
		if verdict.State != inventory.Dirty || !named("tcp 10.244.0.1:443") || named("tcp 192.0.2.10:80") {
			w.Errorf("verdict: %+v", verdict)
		}
	})
}
