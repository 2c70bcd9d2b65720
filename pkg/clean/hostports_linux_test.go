// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// hostPorts is what CRI-O makes of pods' host ports (internal/hostport), and the kubelet
// did until Kubernetes 1.23 (dockershim), in the packet filter of either kind.
const hostPorts = `
rules '*nat
:KUBE-HOSTPORTS - [0:0]
:KUBE-HP-WLTFZLTJ4QV7FRX3 - [0:0]
:CRIO-HOSTPORTS-MASQ - [0:0]
:CRIO-MASQ-WLTFZLTJ4QV7FRX3 - [0:0]
-A PREROUTING -m comment --comment "kube hostport portals" -m addrtype --dst-type LOCAL -j KUBE-HOSTPORTS
-A OUTPUT -m comment --comment "kube hostport portals" -m addrtype --dst-type LOCAL -j KUBE-HOSTPORTS
-A POSTROUTING -m comment --comment "kube hostport masquerading" -m conntrack --ctstate DNAT -j CRIO-HOSTPORTS-MASQ
-A KUBE-HOSTPORTS -p tcp -m comment --comment "pod3_ns1 hostport 8443" -m tcp --dport 8443 -j KUBE-HP-WLTFZLTJ4QV7FRX3
-A CRIO-HOSTPORTS-MASQ -m comment --comment "pod3_ns1 hostport 8443" -j CRIO-MASQ-WLTFZLTJ4QV7FRX3
-A KUBE-HP-WLTFZLTJ4QV7FRX3 -p tcp -j ACCEPT
-A CRIO-MASQ-WLTFZLTJ4QV7FRX3 -p tcp -m conntrack --ctorigdstport 8443 -j MASQUERADE
COMMIT'
for f in ip ip6; do nft add table $f crio-hostports
nft "add map $f crio-hostports hostports { type inet_proto . inet_service : ${f}v4_addr . inet_service ; }" 2>/dev/null || true
nft "add chain $f crio-hostports hostports; add chain $f crio-hostports prerouting { type nat hook prerouting priority -100 ; }"
nft "add rule $f crio-hostports prerouting fib daddr type local goto hostports"; done
`

func TestPortsThatARuntimeHasMappedByItselfGo(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.dump()
		w.join()
		w.script(hostPorts)
		if verdict := w.removed(w.target()); verdict.State != inventory.Clean || len(verdict.Lost) > 0 {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

// What Istio's agent has on the host goes with a second sign of it, and is named without;
// chains that only begin as Kubernetes' or Istio's own are named.
func TestChainsBesideThePodNetworkGoOrAreNamed(t *testing.T) {
	const istio = `
rules '*nat
:ISTIO_POSTRT - [0:0]
-A POSTROUTING -j ISTIO_POSTRT
-A ISTIO_POSTRT -p tcp -j ACCEPT
COMMIT'
`
	for name, tc := range map[string]struct {
		plant string
		set   string
		want  []string
	}{
		"Istio's with its directory": {plant: istio + "mkdir -p run/istio-cni"},
		"Istio's with its set": {plant: istio +
			"iptables-nft -t nat -A ISTIO_POSTRT -m set --match-set istio-inpod-probes-v4 dst -j ACCEPT", set: "istio-inpod-probes-v4"},
		"Istio's set alone": {plant: "true", set: "istio-inpod-probes-v4"},
		"Istio's alone": {plant: istio, want: []string{"chain ISTIO_POSTRT (legacy ip nat)", "chain ISTIO_POSTRT (nft ip nat)",
			"chain ISTIO_POSTRT (nft ip6 nat)"}},
		"another of Istio's": {plant: "iptables-nft -t nat -N ISTIO_OUTPUT", want: []string{"chain ISTIO_OUTPUT (nft ip nat)"}},
		"another of Kubernetes'": {plant: "iptables-nft -N KUBE-LOCALDEST; iptables-nft -A INPUT -j KUBE-LOCALDEST",
			want: []string{"chain KUBE-LOCALDEST (nft ip filter)"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				if tc.set != "" {
					hosttest.Must(t, netlink.IpsetCreate(tc.set, "hash:ip", netlink.IpsetCreateOptions{}))
				}
				w.join()
				w.script(tc.plant)
				show := func() string {
					return w.script("nft list ruleset 2>/dev/null; iptables-legacy-save 2>/dev/null; true")
				}
				verdict := w.removed(w.target())
				state := inventory.Clean
				if tc.want != nil {
					state = inventory.CleanBut
				}
				if diff := cmp.Diff(tc.want, names(verdict.But)); diff != "" || verdict.State != state {
					w.Errorf("%s (-want +got):\n%s", verdict.State, diff)
				}
				for _, it := range tc.want {
					chain := strings.Fields(it)[1]
					if strings.HasPrefix(it, "chain") && !strings.Contains(show(), chain) {
						w.Errorf("%s is gone", it)
					}
				}
				if tc.want == nil && strings.Contains(show(), "ISTIO") {
					w.Errorf("left:\n%s", show())
				}
			})
		})
	}
}
