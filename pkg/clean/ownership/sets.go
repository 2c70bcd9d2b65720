// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Sets are ip sets by their names:
//   - kube-router pkg/controllers/{netpol,proxy,routing} (0.0.10 to 2.9): IPv6 ones begin with "inet6:"
//   - kube-proxy pkg/proxy/ipvs/ipset.go (1.9 to 1.36): a name of IPv6 is cut at 31 characters
//   - Calico felix/ipsets/ipset_defs.go, felix/rules/rule_defs.go (3.8 to 3.31): "0" and a name or the hash of a
//     selector, named port or service, "t" and a number while it is filled; and two of before 2.0
//   - Cilium pkg/datapath/iptables/ipset (1.14 to 1.19)
//   - Antrea pkg/agent/route/route_linux.go, pkg/agent/controller/networkpolicy (0.9 to 2.4)
//   - Kube-OVN pkg/daemon/gateway_linux.go (1.2 to 1.15)
//   - Istio cni/pkg/iptables (ProbeIPSet) and cni/pkg/ipset
//   - Weave npc/constants.go, npc/shortname.go (a SHA-1 in 85 symbols), net/ipset (1.9 to 2.8)
func Sets() Names {
	return Names{
		kind: inventory.KindIPSet,
		known: compile(
			pattern{inventory.KubeRouter, `(inet6:)?kube-router-(pod-subnets|node-ips|local-(ips|pods)|svip(-prt)?|ipvs-services|service-ips)`},
			pattern{inventory.KubeRouter, `(inet6:)?KUBE-(SRC|DST)-[A-Z2-7]{16}`},
			pattern{inventory.KubeProxy, `KUBE-(6-)?(LOOP-BACK|CLUSTER-IP|EXTERNAL-IP(-LOCAL)?|HEALTH-CHECK-NODE-PORT|IPVS-IPS|` +
				`LOAD-BALANCER(-(LOCAL|FW|MASQ|SOURCE-IP|SOURCE-CIDR?))?|NODE-PORT-(LOCAL-)?(TCP|UDP|SCTP(-HASH?)?))`},
			pattern{inventory.Calico, `cali[46]0((all|masq|network)-(ipam|ip)-pools|all-(hosts|vxlan|tunnel)-net|this-host|dscp-src-net|` +
				`no-flow-offload|all-istio-weps|(s|n|d|svc|svcnoport):[A-Za-z0-9_-]+)|cali[46]t[0-9]+|felix-(masq|all)-ipam-pools`},
			pattern{inventory.Cilium, `cilium_node_set_v[46]`},
			pattern{inventory.Antrea, `ANTREA-(POD-IP|NODEPORT-IP|EXTERNAL-IP)6?|ANTREA-POL-[0-9A-F]{16}-[46]`},
			pattern{inventory.KubeOVN, `ovn[46]0(services|subnets(-nat|-distributed-gw|-nat-policy)?|local-pod-ip-nat|other-node|` +
				`natpr-[0-9a-f]{12}-(src|dst))|ovn[46]t[0-9]+`},
			pattern{inventory.Weave, `weave-(local-pods|test-comment[0-9a-f]{8}|[A-Za-z0-9(){}\[\]+=_$%^!*|/?.;:@#~]{23,25})`},
			pattern{inventory.Istio, `istio-inpod-probes-v[46]`},
		),
		paired: compile(pattern{inventory.Submariner, `SUBMARINER-(LOCAL|REMOTE)CIDRS`}), // pkg/packetfilter/iptables
		claimed: compile(
			// Felix deletes what begins so (ourNamePrefixesRegexp), and Kube-OVN, which has its code.
			pattern{inventory.Calico, `(cali|felix-)[46].+`},
			pattern{inventory.KubeOVN, `ovn[46].+`},
			// kube-router does (pkg/controllers/netpol/npc_iptables.go), and weave-npc when it starts.
			pattern{inventory.KubeRouter, `(inet6:)?KUBE-(SRC|DST)-.+`},
			pattern{inventory.Weave, `weave-.+`},
		),
		alike: compile(
			pattern{inventory.Submariner, `SUBMARINER-.+|SM-GN-.+`},
			pattern{inventory.KubeRouter, `(inet6:)?kube-router-.+`},
			pattern{inventory.Calico, `felix-.+`},
			pattern{inventory.Cilium, `cilium_.+`},
			pattern{inventory.Antrea, `ANTREA-.+`},
		),
	}
}
