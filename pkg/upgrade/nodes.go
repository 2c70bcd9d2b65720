// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// leftOut is UPG005: workers that are not Ready are named and left out: one host that is
// down is no reason to stop (kubernetes/kubeadm#539).
func leftOut(f Facts, _ Version) (all []Finding) {
	for _, n := range f.Nodes {
		if n.Ready || n.ControlPlane {
			continue
		}
		all = append(all, Finding{ID: "UPG005", Severity: Warning, Nodes: []string{n.Name}, Evidence: n.Why,
			What: "node " + n.Name + " is not Ready, and is left out",
			Cure: "bring it back, or upgrade it when it is back: " + text.Command("kubectl", "describe", "node", n.Name)})
	}
	return all
}

// absentPlanes is UPG006: kubeadm refuses to go on while a control plane is not Ready, and
// the members of etcd that are left may be too few.
func absentPlanes(f Facts, _ Version) []Finding {
	names := f.names(func(n Node) bool { return n.ControlPlane && !n.Ready })
	if len(names) == 0 {
		return nil
	}
	return []Finding{{ID: "UPG006", Severity: Error, Blocks: true, Nodes: names, Evidence: "condition Ready of " + nodes(names),
		What: "not all control planes are Ready: " + text.Some(names),
		Cure: "bring it back first; see: " + text.Command("kubectl", "describe", "node", names[0])}}
}

// lone is UPG007: with one control plane the API is away while its server is replaced, and
// kubeadm's health check needs a node that takes pods (kubernetes/kubeadm#3050): so it comes
// before the drain.
func lone(f Facts, _ Version) []Finding {
	planes := f.planes()
	if len(planes) != 1 {
		return nil
	}
	return []Finding{{ID: "UPG007", Severity: Note, Nodes: planes, Evidence: "one node has the role of a control plane",
		What: "there is one control plane: while its API server is replaced, the API does not answer",
		Cure: "choose a time when that is no harm; pods go on running. Drain the node after kubeadm upgrade apply and not before: its own " +
			"check runs a pod"}}
}

// usualSockets are those that kubeadm takes without being told.
func usualSockets() []string {
	return []string{"", "unix:///var/run/containerd/containerd.sock", "unix:///run/containerd/containerd.sock",
		"/run/containerd/containerd.sock",
		"/var/run/containerd/containerd.sock"}
}

// sockets is UPG009: kubeadm 1.36 reads the runtime's socket from a file on the host and no
// more from the Node; where the file is not there, the upgrade writes one with the default.
func sockets(f Facts, target Version) []Finding {
	if target.Minor < 36 {
		return nil
	}
	groups := map[string][]string{}
	for _, n := range f.Nodes {
		if !slices.Contains(usualSockets(), n.CRISocket) {
			groups[n.CRISocket] = append(groups[n.CRISocket], n.Name)
		}
	}
	return each(groups, func(socket string, names []string) Finding {
		return Finding{ID: "UPG009", Severity: Warning, Nodes: names, Evidence: "annotation kubeadm.alpha.kubernetes.io/cri-socket",
			What: fmt.Sprintf("the runtime of %s is at %s, which kubeadm does not read from the Node any more", nodes(names), text.Short(socket,
				200)),
			Cure: "see that it stands in /var/lib/kubelet/instance-config.yaml on the host: containerRuntimeEndpoint: " + text.Quote(socket)}
	})
}

// cordoned is UPG020: what is unschedulable before stays so.
func cordoned(f Facts, _ Version) []Finding {
	names := f.names(func(n Node) bool { return n.Cordoned && n.Ready })
	if len(names) == 0 {
		return nil
	}
	return []Finding{{ID: "UPG020", Severity: Note, Nodes: names, Evidence: "spec.unschedulable",
		What: "unschedulable already, and stays so afterwards: " + text.Some(names),
		Cure: "if that is not wanted: " + text.Command("kubectl", "uncordon", names[0])}}
}
