// SPDX-License-Identifier: Apache-2.0

package view

import (
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Kind is the first word of a row about a host: a host that names a kind that
// is more than a word does not get a line of its own making.
func Kind(kind inventory.Kind) string {
	if kind == "" || strings.Trim(string(kind), "abcdefghijklmnopqrstuvwxyz-") != "" || len(kind) > 20 {
		return "unknown"
	}
	return string(kind)
}

// Inventory shows what is ours and what refers to the cluster, and with wide
// everything else too.
func Inventory(s *Sheet, inv inventory.Inventory, wide bool) error {
	rows := [][]string{{"KIND", "NAME", "IN", "OWNER", "FATE", "DETAIL"}}
	hidden := 0
	for _, item := range inv.Items {
		if !wide && item.Fate != inventory.Goes && item.Refers == "" {
			hidden++
			continue
		}
		detail := item.Detail
		if item.Why != "" {
			detail = item.Why
		}
		if item.Refers != "" {
			detail = item.Refers
		}
		rows = append(rows, []string{Kind(item.Kind), item.Name, item.In, string(item.Owner), string(item.Fate), detail})
	}
	_ = s.Table(rows) // the sheet keeps the error
	for _, part := range inv.Unchecked {
		_ = s.Line("not checked: %s %s: %s", Kind(part.Kind), part.What, part.Why)
	}
	if hidden == 0 {
		return s.Err
	}
	return s.Line("not shown: %s not Kubernetes' or that stays (-o wide shows all)", text.Count(hidden, "thing"))
}
