// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// sameTwice is CNI004 for a network that is there twice, say by old manifests and by a
// release (flannel#1390, flannel#1615): nothing tells which of the two an installation is
// to change.
func sameTwice(in Input) []Finding {
	var out []Finding
	for _, group := range in.Twice() {
		if in.Wanted.CNI != "" && in.Wanted.CNI != group[0].CNI {
			continue // it stands in the way as a second network
		}
		out = append(out, Finding{ID: "CNI004", Severity: Error, Blocks: in.Wanted.CNI != "", Cure: oneOf(group),
			What: fmt.Sprintf("%s is here %s: its agents write over each other on the same nodes", group[0].CNI,
				text.Choose(len(group) == 2, "twice", fmt.Sprintf("%d times", len(group)))),
			Evidence: whose(group)})
	}
	return out
}

// endings is CNI033: the network is being deleted (flannel#1740). An installation says
// so itself.
func endings(in Input) []Finding {
	var out []Finding
	for _, e := range in.Endings {
		if in.Wanted.CNI != "" {
			continue
		}
		see := text.Command("kubectl", "get", "namespace", e.Namespace, "-o", "yaml") + " (status.conditions)"
		if e.DaemonSet != "" {
			see = text.Command("kubectl", "-n", e.Namespace, "get", "daemonset", e.DaemonSet, "-o", "yaml") + " (metadata.finalizers)"
		}
		out = append(out, Finding{ID: "CNI033", Severity: Error, What: fmt.Sprintf("%s is being deleted: no agent of %s is made there", e, e.CNI),
			Evidence: cmp.Or(e.Kept, "metadata.deletionTimestamp"),
			Cure:     "see what keeps it: " + see + "; when it is gone: " + text.Command("kubectl", "lifecycle", "cni", "install", e.CNI)})
	}
	return out
}

// byHand says that nothing keeps a DaemonSet as it is.
func byHand(n facts.Network) bool { return len(n.Managed) == 0 && n.Release == "" }

// whose names DaemonSets, and what keeps each.
func whose(group []facts.Network) string {
	var out []string
	for _, n := range group {
		keeper := "of manifests"
		switch {
		case len(n.Managed) > 0:
			keeper = "of " + n.Managed[0].String()
		case n.Release != "":
			keeper = "of Helm release " + n.ReleaseNamespace + "/" + n.Release
		}
		out = append(out, "daemonset "+n.Namespace+"/"+n.DaemonSet+" "+keeper)
	}
	return text.Line(text.Some(out))
}

// oneOf is the way out of a network that is there several times. What was applied by hand
// goes, if something else is managed; else a person has to choose.
func oneOf(group []facts.Network) string {
	const after = "Then have the agents of the other write again: "
	const roles = " Leave the ClusterRole and its binding: both may use the same."
	var goes, stay []string
	for _, n := range group {
		if byHand(n) {
			goes = append(goes, removal(n))
		} else {
			stay = append(stay, restart(n))
		}
	}
	if len(goes) > 0 && len(stay) > 0 {
		return "delete what was applied as manifests: " + text.Some(goes) + "." + roles + " " + after + text.Some(stay)
	}
	var all, again []string
	for _, n := range group {
		all, again = append(all, removal(n)), append(again, restart(n))
	}
	return "keep one of them, the newer one as a rule, and remove the other: " + strings.Join(all[:min(len(all), 5)], "; or: ") + "." +
		text.Choose(len(goes) > 0, roles, "") + " " + after + strings.Join(again[:min(len(again), 5)], "; or: ")
}

// removal is how one DaemonSet goes, and stays away.
func removal(n facts.Network) string {
	i := slices.IndexFunc(n.Managed, func(r managedby.Release) bool { return r.Tool != managedby.Helm })
	switch {
	case i >= 0:
		return text.Line(fmt.Sprintf("take daemonset %s/%s out of %s", n.Namespace, n.DaemonSet, n.Managed[i]))
	case n.Release != "" && managedby.Release{Tool: managedby.Helm, Name: n.Release, Namespace: n.ReleaseNamespace}.Where() == "":
		return "uninstall " + text.Line("Helm release "+n.Release) // what is no name is in no command
	case n.Release != "":
		return text.Command("helm", "-n", n.ReleaseNamespace, "uninstall", n.Release)
	}
	return text.Command("kubectl", "-n", n.Namespace, "delete", "daemonset", n.DaemonSet)
}

func restart(n facts.Network) string {
	return text.Command("kubectl", "-n", n.Namespace, "rollout", "restart", "daemonset", n.DaemonSet)
}
