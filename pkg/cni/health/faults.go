// SPDX-License-Identifier: Apache-2.0

package health

import (
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
)

// faults lists what is wrong and does not pass by waiting: nodes that will never
// be served, records that lead packets astray.
func (v view) faults() []gap {
	var faults []gap
	for _, node := range v.linuxNodes() {
		if facts.Absence(node, v.now) != "" {
			continue
		}
		if why := facts.Lacks(node, v.target.Pods, v.now); why != "" {
			faults = append(faults, gap{
				kind: ofNode, name: node.Name, why: "it cannot be served: " + why, hint: facts.LackingHint,
				see: "kubectl get nodes -o custom-columns=NAME:.metadata.name,PODS:.spec.podCIDRs",
			})
		}
	}
	if find := v.target.Network.Faults; find != nil {
		faults = append(faults, gapsOf(find(v.records()))...)
	}
	return faults
}

// doubts lists what may be wrong.
func (v view) doubts() []gap {
	if find := v.target.Network.Doubts; find != nil {
		return gapsOf(find(v.records()))
	}
	return nil
}

// records are those of the nodes that can be expected to have some.
func (v view) records() catalogue.Records {
	return catalogue.Records{Nodes: v.servedNodes(), Agents: v.agents, Pods: v.target.Pods}
}

// gapsOf are faults of nodes as gaps.
func gapsOf(faults []catalogue.Fault) []gap {
	var gaps []gap
	for _, f := range faults {
		gaps = append(gaps, gap{kind: ofNode, name: f.Node, why: f.Why, see: f.See, hint: f.Hint})
	}
	return gaps
}
