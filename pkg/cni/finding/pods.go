// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// maxExamples is how many addresses are named that several pods have.
const maxExamples = 3

// misplaced is CNI005 seen by what it does: pods have addresses of the cluster that are
// not their node's, so that no route leads to them (flannel#1437, flannel#820).
func misplaced(in Input) []Finding {
	if len(in.Pods.Misplaced) == 0 {
		return nil
	}
	n := 0
	var names []string
	for _, m := range in.Pods.Misplaced {
		n += m.Pods
		names = append(names, m.Node)
	}
	first := in.Pods.Misplaced[0]
	return []Finding{{ID: "CNI005", Severity: Error, Nodes: names, Cure: in.otherGiver(),
		What: fmt.Sprintf("%d %s on %s %s an address that is not of %s pod CIDR: no route leads there from other nodes", n,
			verb(n, "pod", "pods"), nodes(names), verb(n, "has", "have"), verb(len(names), "that node's", "their node's")),
		Evidence: text.Brief(fmt.Sprintf("pod %s has %s, and the pods of node %s are in %s", first.Pod, first.Address, first.Node,
			cidr.List(first.CIDRs)))}}
}

// twins is CNI005 seen by what it does: several pods have one address
// (containernetworking/plugins#629). Kube-OVN means it so: the Subnets of two of its Vpcs
// may be the same.
func twins(in Input) []Finding {
	all := in.Pods.Twins
	if len(all) == 0 || len(in.Networks) == 0 || slices.Contains(in.names(), "kube-ovn") {
		return nil
	}
	var names, examples []string
	for i, t := range all {
		var pods []string
		for _, h := range t.Holders {
			pods = append(pods, h.Pod+" on "+h.Node)
			if !slices.Contains(names, h.Node) {
				names = append(names, h.Node)
			}
		}
		if more := t.Pods - len(t.Holders); more > 0 {
			pods = append(pods, fmt.Sprintf("%d more", more))
		}
		if i < maxExamples {
			examples = append(examples, t.Address.String()+": "+strings.Join(pods, ", "))
		}
	}
	what := fmt.Sprintf("%d pods have the same address %s: packets for one of them go to another", all[0].Pods, all[0].Address)
	if len(all) > 1 {
		what = fmt.Sprintf("%d addresses are those of several pods each: packets for one of them go to another", len(all))
	}
	return []Finding{{ID: "CNI005", Severity: Error, Nodes: names, What: what, Cure: in.otherGiver(),
		Evidence: text.Line(strings.Join(examples, "; "))}}
}

// otherGiver is the way out of addresses that the network has not given.
func (in Input) otherGiver() string {
	own := "the network's own"
	if all := in.configs(); len(all) > 0 {
		own = all[0]
	}
	return "on the host: ls /etc/cni/net.d, and delete the files there that sort before " + own + ", never the directory. If there " +
		"is none, look for a bridge that has kept an earlier network's address (ip -brief address show): drain the node, then delete that " +
		"bridge. Restart these pods in the end: they keep their addresses until they are made again"
}
