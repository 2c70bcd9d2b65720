// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/uninstall"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Uninstallation writes every object that goes with a network, and what stays.
func Uninstallation(s *Sheet, u uninstall.Uninstallation) error {
	rows := [][]string{{"GOES", "OF"}}
	for _, o := range u.Objects {
		rows = append(rows, []string{objectName(o), "release " + u.Release.Name})
	}
	for _, m := range u.Made {
		rows = append(rows, []string{objectName(m.Object), "its agents wrote it"})
	}
	for _, m := range u.Marks {
		words := m.Annotations
		for _, t := range m.Taints {
			words = append(words, "taint "+t)
		}
		if m.Condition {
			words = append(words, "condition NetworkUnavailable")
		}
		rows = append(rows, []string{"on node " + m.Node, "its agents wrote " + strings.Join(words, ", ")})
	}
	_ = s.Table(rows) // the sheet keeps the error
	for _, h := range u.Hooks {
		_ = s.Line("its chart runs %s", h)
	}
	for _, stay := range u.Stays {
		_ = s.Line("stays: %s", stay)
	}
	for _, owner := range slices.Sorted(maps.Keys(u.Pods)) {
		_ = s.Line("loses its network: %s (%s)", owner, CountPods(u.Pods[owner]))
	}
	return s.Err
}

// OnHosts writes what a network leaves on each host, and the way out.
func OnHosts(s *Sheet, u uninstall.Uninstallation) error {
	for _, line := range u.OnHosts {
		_ = s.Line("  %s", line)
	}
	_ = s.Line("  to clean a host that leaves the cluster: kubectl lifecycle remove NODE")
	_ = s.Line("  to clean the hosts that stay: kubectl lifecycle cni uninstall %s --clean-nodes", text.Quote(u.CNI))
	return s.Err
}

func objectName(o release.Object) string {
	kind := o.Resource
	if o.Group != "" {
		kind += "." + o.Group
	}
	if o.Namespace != "" {
		return fmt.Sprintf("%s %s/%s", kind, o.Namespace, o.Name)
	}
	return kind + " " + o.Name
}
