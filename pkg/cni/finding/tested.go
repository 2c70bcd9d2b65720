// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Untested is CNI032: the project of a network does not test this version of its chart
// with this Kubernetes. Where either is not known, or the project names no versions,
// nothing is said.
func Untested(n catalogue.Network, chart, kubernetes string) []Finding {
	version := kernelOf(strings.TrimPrefix(kubernetes, "v"))
	line := kernelOf(strings.TrimPrefix(chart, "v"))
	i := slices.IndexFunc(n.Tested, func(t catalogue.Tested) bool { return kernelOf(t.Line) == line })
	if version == [2]int{} || i < 0 {
		return nil
	}
	t := n.Tested[i]
	from, to := kernelOf(t.From), kernelOf(t.To)
	below := t.From != "" && slices.Compare(version[:], from[:]) < 0
	above := t.To != "" && slices.Compare(version[:], to[:]) > 0
	if !below && !above {
		return nil
	}
	tested := "from " + t.From + " on"
	if t.To != "" {
		tested = t.From + " to " + t.To
	}
	return []Finding{{ID: "CNI032", Severity: Warning, Evidence: "kubeadm's configuration, and what the project says of its chart " + t.Line,
		What: fmt.Sprintf("%s %s is tested with Kubernetes %s, and this cluster has %d.%d", n.Name, t.Line, tested, version[0], version[1]),
		Cure: text.Command("kubectl", "lifecycle", "cni", "versions", n.Name) + " lists the lines; --version takes one"}}
}
