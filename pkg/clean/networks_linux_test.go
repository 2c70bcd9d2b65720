// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// What networks leave on a node, by the names in their own sources and in dumps
// of nodes that ran them: chains and the rules that lead there, links, routes,
// rules, files. The rules' own matches are simplified; whose they are is told by
// their chain or comment.
const (
	// Cilium 1.18 with kube-proxy replacement off (pkg/datapath/iptables,
	// pkg/datapath/linux).
	ciliumLeft = `
for i in iptables-nft iptables-legacy ip6tables-nft; do
for c in OLD_CILIUM_INPUT CILIUM_INPUT CILIUM_FORWARD CILIUM_OUTPUT; do $i -N $c; done
$i -A CILIUM_INPUT -m mark --mark 0x200/0xf00 -m comment --comment "cilium: ACCEPT for proxy traffic" -j ACCEPT
$i -I INPUT -m comment --comment "cilium-feeder: CILIUM_INPUT" -j CILIUM_INPUT
$i -I FORWARD -m comment --comment "cilium-feeder: CILIUM_FORWARD" -j CILIUM_FORWARD
$i -I OUTPUT -m comment --comment "cilium-feeder: CILIUM_OUTPUT" -j CILIUM_OUTPUT
$i -A OLD_CILIUM_INPUT -s 10.244.0.0/24 -j ACCEPT 2>/dev/null || true
for c in OUTPUT_nat POST_nat PRE_nat; do $i -t nat -N CILIUM_$c; done
$i -t nat -A CILIUM_POST_nat -m comment --comment "cilium masquerade non-cluster" -j MASQUERADE
$i -t nat -I POSTROUTING -m comment --comment "cilium-feeder: CILIUM_POST_nat" -j CILIUM_POST_nat
for c in POST_mangle PRE_mangle; do $i -t mangle -N CILIUM_$c; done
$i -t mangle -A CILIUM_PRE_mangle -m comment --comment "cilium: any->pod redirect proxied traffic to host proxy" \
-j MARK --set-xmark 0x200/0xffffffff
$i -t mangle -I PREROUTING -m comment --comment "cilium-feeder: CILIUM_PRE_mangle" -j CILIUM_PRE_mangle
done
ip link add cilium_net type veth peer name cilium_host; ip addr add 10.244.1.77/32 dev cilium_host; ip link set cilium_host up
ip link set cilium_net up
ip link add cilium_vxlan type vxlan external dstport 8473; ip link add lxc_health type veth peer name lxc0123456789ab
ip route add 10.244.1.77 dev cilium_host scope link; ip route add 10.244.5.0/24 dev cilium_host scope link mtu 1450
ip route add local default dev lo table 2004; ip route add default dev cilium_host table 2005
ip rule add from all lookup local prio 100; ip rule del prio 0; ip rule add fwmark 0x200/0xf00 lookup 2004 prio 9
ip rule add fwmark 0xa00/0xf00 lookup 2005 prio 10
ip rule add fwmark 0xd00/0xf00 lookup 200 prio 1; ip rule add fwmark 0xe00/0xf00 lookup 200 prio 1
ip route add local 10.244.1.0/24 dev lo table 200 proto kernel; ip route add 10.244.5.0/24 dev cilium_host table 200 mtu 1400
ip rule add to 203.0.113.64/26 lookup 202 prio 112; ip route add 203.0.113.64/26 dev cilium_host table 202 scope link
ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out priority 100 action block mark 0xe00 mask 0xf00
mkdir -p run/cilium/state var/lib/cilium; echo > run/cilium/cilium.pid; echo '{"name":"cilium"}' > etc/cni/net.d/05-cilium.conflist
echo > opt/cni/bin/cilium-cni
`
	// Calico 3.31 with VXLAN and a blackhole for its own block (felix/rules,
	// felix/routetable, felix/dataplane/linux).
	calicoLeft = `
for i in iptables-nft iptables-legacy ip6tables-nft; do
for c in INPUT FORWARD OUTPUT from-wl-dispatch to-wl-dispatch wl-to-host cidr-block fw-cali0123456789a tw-cali0123456789a pri-_kns.default
do $i -N cali-$c; done
$i -I INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT
$i -I FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
$i -A FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -m comment --comment "Policy explicitly accepted packet." \
-m mark --mark 0x10000/0x10000 -j ACCEPT
$i -A FORWARD -m comment --comment "cali:mp77cMpurHhyjLrM" -j MARK --set-xmark 0x10000/0x10000 2>/dev/null || true
$i -A cali-FORWARD -m comment --comment "cali:vjrMJCRpqwy5oRoX" -j MARK --set-xmark 0x0/0xe0000 2>/dev/null || true
$i -A cali-INPUT -m comment --comment "cali:FewJpBykm9iJ-YNH" -j cali-wl-to-host
$i -A cali-from-wl-dispatch -i cali0123456789a -m comment --comment "cali:zTj6P0TIgYvgz-md" -g cali-fw-cali0123456789a
for c in PREROUTING POSTROUTING fip-dnat nat-outgoing; do $i -t nat -N cali-$c; done
$i -t nat -I PREROUTING -m comment --comment "cali:6gwbT8clXdHdC1b1" -j cali-PREROUTING
$i -t nat -I POSTROUTING -m comment --comment "cali:O3lYWMrLQYEMJtB5" -j cali-POSTROUTING
for c in PREROUTING POSTROUTING; do $i -t mangle -N cali-$c; done
$i -t mangle -I PREROUTING -m comment --comment "cali:6gwbT8clXdHdC1b1" -j cali-PREROUTING
for c in PREROUTING OUTPUT rpf-skip; do $i -t raw -N cali-$c; done
$i -t raw -I PREROUTING -m comment --comment "cali:6gwbT8clXdHdC1b1" -j cali-PREROUTING
done
ip link add cali0123456789a type veth peer name cali0123456789b; ip link set cali0123456789a up
ip link add vxlan.calico type vxlan id 4096 dstport 4790 dev eth0; ip addr add 10.244.1.64/32 dev vxlan.calico; ip link set vxlan.calico up
ip route add 10.244.1.66 dev cali0123456789a scope link; ip route add 10.244.3.64/26 via 10.244.3.64 dev vxlan.calico onlink
ip route add blackhole 10.244.1.64/26 proto 80
ip route add 10.244.4.64/26 via 192.0.2.11 dev eth0 proto bird
mkdir -p run/calico var/lib/calico var/log/calico/cni; echo w1 > var/lib/calico/nodename
echo '{"name":"k8s-pod-network"}' > etc/cni/net.d/10-calico.conflist; echo > etc/cni/net.d/calico-kubeconfig; echo > opt/cni/bin/calico
`
	// Kilo 0.7 with IP in IP (manifests/kilo-kubeadm.yaml). A kernel may have no WireGuard.
	kiloLeft = `
for i in iptables-nft iptables-legacy ip6tables-nft; do
$i -t nat -N KILO-NAT; $i -t nat -I POSTROUTING -m comment --comment "Kilo: jump to KILO-NAT chain" -j KILO-NAT
$i -t nat -A KILO-NAT -m comment --comment "Kilo: NAT remaining packets" -j MASQUERADE; $i -N KILO-IPIP
$i -A INPUT -p 4 -m comment --comment "Kilo: jump to IPIP chain" -j KILO-IPIP
$i -A INPUT -p 4 -m comment --comment "Kilo: reject other IPIP traffic" -j DROP
$i -I FORWARD -m comment --comment "Kilo: forward packets to the node's pod subnet" -j ACCEPT
done
ip link add kilo0 type wireguard 2>/dev/null || true; ip link add kube-bridge type bridge
ip route add 192.0.2.11/32 via 192.0.2.11 dev eth0 onlink table 1107 proto static; ip rule add from 10.244.1.0/24 to 192.0.2.11 lookup 1107
mkdir -p var/lib/kilo; echo key > var/lib/kilo/key
echo '{"name":"kilo","plugins":[{"type":"bridge","bridge":"kube-bridge"}]}' > etc/cni/net.d/10-kilo.conflist
`
	// Flannel 0.28 in both of its modes, with IPv6 (pkg/trafficmngr).
	flannelLeft = `
for i in iptables-nft iptables-legacy ip6tables-nft; do
$i -t nat -N FLANNEL-POSTRTG; $i -t nat -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
$i -t nat -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
$i -t nat -A FLANNEL-POSTRTG -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
done
nft add table ip flannel-ipv4; nft 'add chain ip flannel-ipv4 postrtg { type nat hook postrouting priority srcnat; }'
nft add rule ip flannel-ipv4 postrtg ip saddr 10.244.0.0/16 masquerade
nft add table ip6 flannel-ipv6; nft 'add chain ip6 flannel-ipv6 forward { type filter hook forward priority filter; }'
ip link add flannel-v6.1 type vxlan id 1 dstport 8474 dev eth0; ip link set flannel-v6.1 up
`
)

func TestWhatNetworksLeaveGoesAndNothingElse(t *testing.T) {
	for name, left := range map[string]string{"cilium": ciliumLeft, "calico": calicoLeft, "flannel": flannelLeft, "kilo": kiloLeft} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(firewalls + "ip route add 10.245.0.0/24 via 192.0.2.11; ip rule add fwmark 0x1/0x1 lookup 204 prio 600; ip route add " +
					"blackhole 198.51.100.0/24 proto 80\nip6tables-nft -t raw -S >/dev/null; iptables-nft -t raw -S >/dev/null; iptables-legacy -t raw " +
					"-S > /dev/null")
				before := w.dump()
				w.join()
				w.script(left)
				if verdict := w.remove(); verdict.State != inventory.Clean || len(verdict.Lost)+len(verdict.Changed) > 0 {
					w.Errorf("verdict: %+v", verdict)
				}
				w.same(before)
				left := w.script("for t in 200 202 1107 2004 2005; do ip route show table $t 2>/dev/null || true; done; ip xfrm policy")
				if left != "" {
					w.Errorf("routes of networks' tables, or policies of its encryption, are left: %s", left)
				}
			})
		})
	}
}
