// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"
	"path"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// KubeadmFlags is the file of flags that kubeadm writes.
const KubeadmFlags = "kubeadm-flags.env"

// lapsed is a flag of the kubelet that a minor does not know any more.
type lapsed struct {
	name string
	// gone is the minor without it; zero for one that is deprecated only.
	gone int
	// now is what takes its place.
	now string
}

// lapsedFlags explain what a kubelet's own parser says in one line (CHANGELOG-1.*.md of
// Kubernetes; kubernetes-sigs/kubespray#13125 for the first).
func lapsedFlags() []lapsed {
	return []lapsed{
		{"pod-infra-container-image", 35, "the runtime's own setting of the sandbox image (containerd: sandbox)"},
		{"container-runtime", 27, "nothing: containers run through the CRI always"},
		{"master-service-namespace", 27, "nothing"},
		{"feature-gates", 0, "featureGates in /var/lib/kubelet/config.yaml"},
		{"container-runtime-endpoint", 0, "containerRuntimeEndpoint in /var/lib/kubelet/instance-config.yaml"},
		{"cgroup-driver", 0, "cgroupDriver in /var/lib/kubelet/config.yaml"},
		{"resolv-conf", 0, "resolvConf in /var/lib/kubelet/config.yaml"},
		{"max-pods", 0, "maxPods in /var/lib/kubelet/config.yaml"},
		{"eviction-hard", 0, "evictionHard in /var/lib/kubelet/config.yaml"},
		{"system-reserved", 0, "systemReserved in /var/lib/kubelet/config.yaml"},
		{"kube-reserved", 0, "kubeReserved in /var/lib/kubelet/config.yaml"},
		{"fail-swap-on", 0, "failSwapOn in /var/lib/kubelet/config.yaml"},
		{"rotate-certificates", 0, "rotateCertificates in /var/lib/kubelet/config.yaml"},
		{"cluster-dns", 0, "clusterDNS in /var/lib/kubelet/config.yaml"},
	}
}

// kubeletFlags is UPG015 and UPG016: flags that the target's kubelet does not know: it ends
// at once with such a one, and the node is NotReady.
func kubeletFlags(f Facts, target Version) (all []Finding) {
	for _, of := range lapsedFlags() {
		groups := map[string][]string{}
		for _, flag := range f.Flags {
			if flag.Name == of.name {
				groups[flag.File] = append(groups[flag.File], flag.Node)
			}
		}
		all = append(all, each(groups, func(file string, names []string) Finding {
			found := Finding{ID: "UPG016", Severity: Note, Nodes: names, Evidence: text.Short(file, 200) + " on " + text.Some(names),
				What: fmt.Sprintf("the kubelet of %s is given --%s, which is deprecated", nodes(names), of.name),
				Cure: "what takes its place: " + of.now}
			switch byKubeadm := path.Base(file) == KubeadmFlags; {
			case of.gone == 0 || target.Minor < of.gone:
			case byKubeadm: // it writes that file again as it upgrades, before the new kubelet starts
				found.What = fmt.Sprintf("the kubelet of %s is given --%s, which kubeadm takes out as it upgrades", nodes(names), of.name)
			default:
				found.ID, found.Severity, found.Blocks = "UPG015", Error, true
				found.What = fmt.Sprintf("the kubelet of %s is given --%s, which a kubelet of 1.%d does not know: it would not start",
					nodes(names), of.name, of.gone)
				found.Cure = "take it out of that file; what takes its place: " + of.now
			}
			return found
		})...)
	}
	return all
}
