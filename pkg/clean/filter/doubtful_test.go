// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
)

func TestWhatNoOneCanProveStaysAndIsNamed(t *testing.T) {
	const lookAlikes = `*filter
:INPUT DROP [0:0]
:OVN-ALLOW - [0:0]
:cali-vpn - [0:0]
:cali-INPUT - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j OVN-ALLOW
-A INPUT -j cali-vpn
-A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT
-A OVN-ALLOW -s 198.51.100.0/24 -j ACCEPT
-A cali-vpn -i tun0 -j ACCEPT`
	for _, tc := range []struct {
		name, save, want string
		second           ownership.Second
		others           bool
		named            map[string]string
	}{
		{name: "chains that begin as a network's", save: lookAlikes, want: `*filter
-D INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT
-F cali-INPUT
-X cali-INPUT
COMMIT
`, named: map[string]string{"OVN-ALLOW": ownership.PerhapsWhy(inventory.KubeOVN), "cali-vpn": ownership.PerhapsWhy(inventory.Calico)}},
		{name: "but what the network itself deletes, where it has another sign", save: lookAlikes, second: everyOwner, want: `*filter
-D INPUT -j cali-vpn
-D INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT
-F cali-vpn
-F cali-INPUT
-X cali-vpn
-X cali-INPUT
COMMIT
`, named: map[string]string{"OVN-ALLOW": ownership.PerhapsWhy(inventory.KubeOVN)}},
		{name: "the administrators' chain of the firewall plugin, and the way to it", second: everyOwner, save: `*filter
:FORWARD ACCEPT [0:0]
:CNI-ADMIN - [0:0]
:CNI-FORWARD - [0:0]
-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
-A CNI-FORWARD -d 10.244.1.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A CNI-FORWARD -s 10.244.1.2/32 -j ACCEPT
-A CNI-ADMIN -s 203.0.113.0/24 -j DROP`, want: `*filter
-D CNI-FORWARD -d 10.244.1.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-D CNI-FORWARD -s 10.244.1.2/32 -j ACCEPT
COMMIT
`, named: map[string]string{"CNI-ADMIN": administrators}},
		{name: "but it goes with the rest where it is empty", second: everyOwner, save: `*filter
:FORWARD ACCEPT [0:0]
:CNI-ADMIN - [0:0]
:CNI-FORWARD - [0:0]
-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN`, want: `*filter
-D FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-F CNI-ADMIN
-F CNI-FORWARD
-X CNI-ADMIN
-X CNI-FORWARD
COMMIT
`},
		{name: "of other networks, which use it, no rule is touched", second: everyOwner, others: true, save: `*filter
:FORWARD ACCEPT [0:0]
:CNI-ADMIN - [0:0]
:CNI-FORWARD - [0:0]
-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
-A CNI-FORWARD -s 10.88.0.2/32 -j ACCEPT
-A CNI-ADMIN -s 203.0.113.0/24 -j DROP`, want: "*filter\nCOMMIT\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := divide(legacy(t, tc.save), ownership.FilterSigns(tc.others, tc.second))
			if diff := cmp.Diff(tc.want, d.deletion().Restore()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var named map[string]string
			for _, it := range inventory.Verify(inventory.Inventory{}, inventory.Inventory{Items: d.items()}).But {
				if named == nil {
					named = map[string]string{}
				}
				named[it.Name] = it.Why
			}
			if diff := cmp.Diff(tc.named, named); diff != "" {
				t.Errorf("named (-want +got):\n%s", diff)
			}
		})
	}
}
