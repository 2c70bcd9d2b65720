// SPDX-License-Identifier: Apache-2.0

package netswitch

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Uncleaned names the nodes whose hosts were not cleaned although they were there before
// the new network: whether they answer now says nothing of it.
func (s State) Uncleaned(nodes []*corev1.Node) (names []string) {
	for _, n := range nodes {
		if !slices.Contains(s.Cleaned, n.Name) && !n.CreationTimestamp.After(s.Installed) {
			names = append(names, n.Name)
		}
	}
	return names
}

// Finding is that hosts were not cleaned; nil if all were. Where a network gave way to
// itself, uninstalling the old one would take away the new one.
func (s State) Finding(uncleaned []string) error {
	if len(uncleaned) == 0 {
		return nil
	}
	hint := "remove these nodes and join them again: kubectl lifecycle remove NODE"
	if s.From != s.To {
		hint = fmt.Sprintf("once they answer: kubectl lifecycle cni uninstall %s --clean-nodes; or %s", text.Quote(s.From), hint)
	}
	return plan.As(plan.Found, plan.Hint(fmt.Errorf("%s %s not cleaned of %s: %s", text.Count(len(uncleaned), "host"),
		text.Choose(len(uncleaned) == 1, "was", "were"), s.From, text.Some(uncleaned)), "%s", hint))
}
