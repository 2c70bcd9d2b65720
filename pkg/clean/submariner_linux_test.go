// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// submariner is what its route agent has on a gateway: each in a word of its own.
var submariner = map[string]string{
	"link": `ip link add vx-submariner type vxlan id 100 dev eth0 dstport 4800; ip addr add 240.0.2.10/8 dev vx-submariner
ip link set vx-submariner up`,
	"rule":  `ip rule add lookup 150 pref 150`,
	"route": `ip route add 100.2.0.0/16 via 192.0.2.3 table 150`,
	"chain": `iptables-nft -t nat -N SUBMARINER-POSTROUTING; iptables-nft -t nat -A POSTROUTING -j SUBMARINER-POSTROUTING
iptables-nft -t nat -A SUBMARINER-POSTROUTING -s 172.20.0.0/16 -d 100.2.0.0/16 -j ACCEPT
iptables-nft -t mangle -N SM-GN-EGRESS-PODS; iptables-nft -N SUBMARINER-MINE`,
}

// leftOf is what of it is on the host.
func (w *world) leftOf() []string {
	return strings.Fields(w.script(`ip -o link | grep -o vx-submariner || true; ip rule | grep -o 'lookup 150' | tr ' ' - || true
ip route show table 150 2>/dev/null | grep -o '^100.2.0.0/16' || true; iptables-nft-save 2>/dev/null | grep -oE '^:(SUBMARINER|SM)-[A-Z-]*' || true`))
}

func TestWhatSubmarinerLeavesGoesWithASecondSignAndIsNamedWithoutOne(t *testing.T) {
	link, all := []string{"vx-submariner"}, []string{"lookup-150", "100.2.0.0/16", ":SUBMARINER-POSTROUTING", ":SM-GN-EGRESS-PODS"}
	for name, tc := range map[string]struct {
		plant, left, named []string
	}{
		"all of it": {[]string{"link", "rule", "route", "chain", "set"}, []string{":SUBMARINER-MINE"},
			[]string{"chain SUBMARINER-MINE"}},
		"its link alone":               {[]string{"link"}, link, []string{"link vx-submariner"}},
		"a table of that number alone": {[]string{"rule", "route"}, all[:2], nil},
		"its chains alone": {[]string{"chain"}, []string{":SM-GN-EGRESS-PODS", ":SUBMARINER-MINE", ":SUBMARINER-POSTROUTING"},
			[]string{"chain SM-GN-EGRESS-PODS", "chain SUBMARINER-MINE", "chain SUBMARINER-POSTROUTING"}},
		"its set alone": {[]string{"set"}, []string{"SUBMARINER-REMOTECIDRS"}, []string{"ipset SUBMARINER-REMOTECIDRS"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				for _, what := range tc.plant {
					if what == "set" {
						hosttest.Must(w.T, netlink.IpsetCreate("SUBMARINER-REMOTECIDRS", "hash:net", netlink.IpsetCreateOptions{}))
					}
					w.script(submariner[what])
				}
				verdict := w.remove()
				left := w.leftOf()
				sets, err := netlink.IpsetListAll()
				hosttest.Must(w.T, err)
				for _, set := range sets {
					left = append(left, set.SetName)
				}
				slices.Sort(left)
				slices.Sort(tc.left)
				var named []string
				for _, it := range verdict.But {
					named = append(named, string(it.Kind)+" "+it.Name)
				}
				slices.Sort(named)
				if diff := cmp.Diff(tc.left, left); diff != "" {
					w.Errorf("left (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.named, named); diff != "" || (verdict.State == inventory.Clean) != (len(tc.named) == 0) {
					w.Errorf("verdict %s, named (-want +got):\n%s", verdict.State, diff)
				}
			})
		})
	}
}
