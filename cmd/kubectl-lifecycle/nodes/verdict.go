// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// removed is the machine-readable result of a removal.
type removed struct {
	Node    string            `json:"node"`
	Verdict inventory.Verdict `json:"verdict"`
	// Lingering are pods that the API still has although the node is gone.
	Lingering []departure.Lingering `json:"lingering,omitempty"`
}

func (c commands) tellRemoved(removal *flow.Removal, output string) error {
	name := removal.Node.Name
	if output == "name" {
		return errors.Join(c.Names("node", name), stillRefers(name, removal.Verdict))
	}
	result := removed{Node: name, Verdict: removal.Verdict, Lingering: removal.Lingering}
	err := c.Print(output, view.Of("NodeRemoval", result), func(s *view.Sheet) error {
		c.tellVerdict(removal.Verdict)
		return s.Line("node/%s removed, its host is %s", view.Name(name), removal.Verdict.Summary())
	})
	return errors.Join(err, stillRefers(name, removal.Verdict))
}

// stillRefers is what a removal ends with that left something on the host which
// still refers to the cluster, and is not provably Kubernetes': it is done, and a
// person has to look.
func stillRefers(name string, v inventory.Verdict) error {
	if len(v.But) == 0 {
		return nil
	}
	const most = 20
	refer, unseen := v.Referring()
	var lines, hints []string
	for _, item := range refer[:min(len(refer), most)] {
		lines = append(lines, fmt.Sprintf("%s: %s (%s)", item, item.Refers, item.Why))
	}
	if more := inventory.Things(refer[min(len(refer), most):]); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	if len(refer) > 0 {
		hints = append(hints, "what refers to the cluster is not provably Kubernetes', so it stays: look at each on the host, "+
			"and delete there what is not needed")
	}
	for _, item := range unseen[:min(len(unseen), most)] {
		lines = append(lines, fmt.Sprintf("%s: %s", item, item.Refers))
	}
	if more := inventory.Things(unseen[min(len(unseen), most):]); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more that were not looked at", more))
	}
	if len(unseen) > 0 {
		hints = append(hints, "of what was not looked at nothing is known: nothing there has to go, but a kubeconfig or token may be there")
	}
	return plan.As(plan.Found, plan.Hint(fmt.Errorf("the host of node %s is clean, but:\n%s", name, strings.Join(lines, "\n")), "%s",
		strings.Join(hints, "; ")))
}

// tellVerdict says what a person has to know about a host beside that it is clean.
func (c commands) tellVerdict(v inventory.Verdict) {
	if v.Backup != "" {
		c.Say("the configuration is backed up on the host: %s", v.Backup)
	}
	for _, item := range v.Personal {
		where := "no backup was wanted"
		if v.Backup != "" {
			where = "the backup has it"
		}
		c.Warn("gone, and perhaps a person's: %s: %s; %s", item, item.Personal, where)
	}
	for _, item := range v.AfterReboot {
		c.Say("after the next boot: %s", item)
	}
	c.warnOfFlags(v.Flags)
	for _, item := range append(v.Lost, v.Changed...) {
		c.Warn("not Kubernetes', but changed during the removal: %s", item)
	}
}

// warnOfFlags says what of a cluster's stays with a host that leaves it.
func (c commands) warnOfFlags(items []inventory.Item) {
	for _, item := range items {
		if item.Kind == inventory.KindFlags {
			c.Warn("%s sets kubelet flags of this cluster, which would apply in the next one, too; change it before the host joins: %s",
				item.Name, item.Detail)
		}
	}
}
