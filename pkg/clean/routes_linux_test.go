// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// A route that is the cluster's goes however it is written, and one with another way in it
// stays and is named.
func TestARouteGoesIfAllOfItsWaysAreTheClusters(t *testing.T) {
	const first, second, other, claimed = "192.0.2.11", "192.0.2.12", "192.0.2.99", "192.0.2.98"
	const calico = `mkdir -p var/lib/calico; echo '{"name":"k8s-pod-network"}' > etc/cni/net.d/10-calico.conflist; echo > opt/cni/bin/calico`
	for name, tc := range map[string]struct {
		plant string
		// named is what the verdict says of the route that stays; empty if it goes.
		named string
	}{
		"through two nodes": {"ip route add 10.244.5.0/24 nexthop via " + first + " nexthop via " + second, ""},
		"through a node and another gateway": {"ip route add 10.244.5.0/24 nexthop via " + other + " nexthop via " + first,
			"1 of its 2 ways into the cluster's pod network leads through the node " + first},
		"through a node and out of a card": {"ip route add 10.244.5.0/24 nexthop via " + first + " nexthop dev docker0",
			"1 of its 2 ways into the cluster's pod network leads through the node " + first},
		"through a node and over a link of flannel's": {"ip route add 10.244.5.0/24 nexthop dev flannel.1 nexthop via " + first, ""},
		"through a nexthop object": {"ip nexthop add id 7 via " + first +
			" dev eth0; ip route add 10.244.5.0/24 nhid 7 proto bird", ""},
		"through an object of which the kernel shows the number": {"echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode; " +
			"ip nexthop add id 7 via " + first + " dev eth0; ip route add 10.244.5.0/24 nhid 7", ""},
		"through a group of objects": {"ip nexthop add id 7 via " + first + " dev eth0; ip nexthop add id 8 via " + second + " dev eth0; " +
			"ip nexthop add id 9 group 7/8; ip route add 10.244.5.0/24 nhid 9", ""},
		"through a group with another gateway in it": {"ip nexthop add id 7 via " + first + " dev eth0; ip nexthop add id 8 via " + other +
			" dev eth0; ip nexthop add id 9 group 7/8; ip route add 10.244.5.0/24 nhid 9",
			"1 of its 2 ways into the cluster's pod network leads through the node " + first},
		"a blackhole of BIRD's, of Calico":     {"ip route add blackhole 10.244.5.0/24 proto bird; " + calico, ""},
		"BIRD's through a switch, of Calico":   {"ip route add 10.244.5.0/24 via " + other + " proto bird; " + calico, ""},
		"a blackhole of a daemon's, no Calico": {"ip route add blackhole 10.244.5.0/24 proto bird", "it leads into the cluster's pod network"},
		"a blackhole of the Service network": {"ip route add blackhole 10.111.0.0/16 proto bird",
			"it leads into the cluster's Service network"},
		"in a table, to a balancer's address": {"ip route add 203.0.113.5 dev lo table 198 proto 248",
			"it leads to 203.0.113.5, an address of a load balancer of the cluster's"},
		"into the host's own network": {"ip route add 198.51.100.0/24 via " + other + "; ip route add 10.244.5.0/24 via " + first,
			""},
		"through a router that a node claims": {"ip route add 10.244.5.0/24 via " + claimed,
			"it leads into the cluster's pod network through the node " + claimed + ", and is not that node's"},
		"through a router that a node claims, and a node": {"ip route add 10.244.5.0/24 nexthop via " + claimed + " nexthop via " + first,
			"it leads into the cluster's pod network through the node " + claimed + ", and is not that node's"},
		"through a node, and called as BIRD's without Calico": {"ip route add 10.244.5.0/24 via " + claimed + " proto bird",
			"it leads into the cluster's pod network through the node " + claimed + ", and is not that node's"},
		"Felix's through a node, of Calico": {"ip route add 10.244.5.0/24 via " + claimed + " proto 80; " + calico, ""},
		"with metrics of its own":           {"ip route add 10.244.5.0/24 via " + first + " mtu 1400 proto bird metric 9", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(tc.plant)
				objects := w.script("ip nexthop")
				target := w.target()
				target.Facts.NodeIPs = append(target.Facts.NodeIPs, second, claimed)
				target.Facts.NodePods = append(target.Facts.NodePods, second+" 10.244.5.0/24", claimed+" 10.244.7.0/24")
				target.Facts.Announced, target.Facts.ServiceCIDRs = []string{"203.0.113.5"}, []string{"10.111.0.0/16"}
				verdict := w.removed(target)
				var named []string
				for _, it := range verdict.But {
					named = append(named, it.Refers)
				}
				state, stays := inventory.Clean, tc.named != ""
				var want []string
				if stays {
					state, want = inventory.CleanBut, []string{tc.named}
				}
				if diff := cmp.Diff(want, named); diff != "" || verdict.State != state {
					w.Errorf("%s (-want +got):\n%s", verdict.State, diff)
				}
				left := w.script("ip route show 10.244.5.0/24; ip route show 10.111.0.0/16; ip route show table 198 2>/dev/null || true")
				if (left != "") != stays {
					w.Errorf("left: %q", left)
				}
				if now := w.script("ip nexthop"); now != objects && strings.Contains(tc.plant, "nexthop add") {
					w.Errorf("nexthop objects were:\n%s\nand are:\n%s", objects, now)
				}
			})
		})
	}
}

// What is on a link of the pod network's would go with it, so the link stays, with what
// else holds it, and is named.
func TestALinkOfOursThatAForeignOneNeedsStaysAndIsNamed(t *testing.T) {
	for name, tc := range map[string]struct{ plant, link, because string }{
		"a port":                {"ip link set dummy0 master cni0", "cni0", "its port dummy0 is not ours"},
		"a macvlan on a bridge": {"ip link add link cni0 name mine type macvlan mode bridge", "cni0", "the macvlan mine on it is not ours"},
		"a VXLAN over another": {"ip link add mine type vxlan id 55 dstport 4444 dev flannel.1", "flannel.1",
			"the vxlan mine on it is not ours"},
		"a route with another way": {"ip route add 10.50.0.0/24 nexthop dev flannel.1 nexthop via 192.0.2.99", "flannel.1",
			"the route to 10.50.0.0/24, which has another way, would go with it"},
		"a pair with one end in each":   {"ip link add mine type veth peer name mine2; ip link set mine2 master docker0", "", ""},
		"our VXLAN in a foreign bridge": {"ip link set flannel.1 master docker0", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(tc.plant)
				links := func() string { return w.script("ip -o link | sed -E 's/^[0-9]+: //; s/[@:].*//' | sort") }
				verdict := w.removed(w.target())
				if tc.link == "" {
					if verdict.State != inventory.Clean || strings.Contains(links(), "flannel.1") || strings.Contains(links(), "cni0") {
						w.Errorf("%+v\n%s", verdict, links())
					}
					return
				}
				if len(verdict.But) != 1 || verdict.But[0].String() != "link "+tc.link ||
					verdict.But[0].Refers != "made for the pod network, and it stays: "+tc.because || len(verdict.Lost) > 0 {
					w.Errorf("%s: %+v", verdict.State, verdict)
				}
				if left := w.script("ip route show 10.50.0.0/24"); strings.Contains(tc.plant, "10.50.0.0/24") && strings.Count(left, "nexthop") != 2 {
					w.Errorf("the route is %q", left)
				}
				for _, one := range []string{tc.link, "dummy0"} {
					if !strings.Contains(links(), one) {
						w.Errorf("%s is gone:\n%s", one, links())
					}
				}
				if strings.Contains(tc.plant, "mine") && !strings.Contains(links(), "mine") {
					w.Errorf("mine is gone:\n%s", links())
				}
			})
		})
	}
}

// removed removes a node of some facts, twice, and says how it went.
func (w *world) removed(target clean.Target) inventory.Verdict {
	w.Helper()
	before, err := target.Survey(w.Context())
	hosttest.Must(w.T, err)
	for range 2 {
		_, err = target.Recipe().Run(w.Context(), nil)
		hosttest.Must(w.T, err)
	}
	after, err := target.Survey(w.Context())
	hosttest.Must(w.T, err)
	return inventory.Verify(before, after)
}
