// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// configVersion is UPG008: kubeadm 1.37 reads v1beta3 no more (kubernetes/kubernetes#136016);
// what converts it is an older kubeadm.
func configVersion(f Facts, target Version) []Finding {
	if f.Config.APIVersion != "kubeadm.k8s.io/v1beta3" && f.Config.APIVersion != "kubeadm.k8s.io/v1beta2" {
		return nil
	}
	found := Finding{ID: "UPG008", Severity: Warning, Evidence: "configmap kube-system/kubeadm-config: " + f.Config.APIVersion,
		What: "the configuration that kubeadm keeps is of " + f.Config.APIVersion + ", which kubeadm 1.37 does not read",
		Cure: "a kubeadm of 1.31 to 1.36 writes it again when it upgrades; by hand, on a control plane: kubeadm config migrate, then kubeadm " +
			"init " +
			"phase upload-config kubeadm --config FILE"}
	if target.Minor >= 37 {
		found.Severity, found.Blocks = Error, true
	}
	return []Finding{found}
}

// step is a minor of Kubernetes whose kubeadm brings a new minor of etcd, and the oldest
// etcd from which that goes well.
type step struct {
	minor        int
	from, oldest Version
	source       string
}

// steps are the known ones. 3.6: members that were learners once come back as learners
// (etcd-io/etcd#19557); 3.7: etcd's guide to the upgrade.
func steps() []step {
	return []step{
		{34, Version{Major: 3, Minor: 6}, Version{Major: 3, Minor: 5, Patch: 24}, "etcd-io/etcd#19557"},
		{37, Version{Major: 3, Minor: 7}, Version{Major: 3, Minor: 6, Patch: 11}, "etcd.io/docs/v3.7/upgrades/upgrade_3_7"},
	}
}

// etcdBefore is UPG011: each member of etcd has to be of some patch before the next minor.
func etcdBefore(f Facts, target Version) (all []Finding) {
	if f.Config.ExternalEtcd {
		return nil // kubeadm does not touch it
	}
	for _, s := range steps() {
		if target.Minor < s.minor {
			continue
		}
		groups := map[string][]string{}
		for _, c := range f.Components {
			if v, known := c.Version(); c.Name == "etcd" && known && v.Compare(s.oldest) < 0 {
				groups[v.String()[1:]] = append(groups[v.String()[1:]], c.Node)
			}
		}
		all = append(all, each(groups, func(version string, names []string) Finding {
			oldest, next := s.oldest.String()[1:], s.from.Line()
			return Finding{ID: "UPG011", Severity: Error, Blocks: true, Nodes: names,
				What:     fmt.Sprintf("etcd on %s is %s: before %s every member has to be %s or newer", text.Some(names), version, next, oldest),
				Evidence: "images of the pods etcd-NODE; " + s.source,
				Cure: "set etcd.local.imageTag to " + oldest + "-0 or a newer patch in configmap kube-system/kubeadm-config, and on each control " +
					"plane, " +
					"one after another: kubeadm init phase etcd local with that configuration"}
		})...)
	}
	return all
}

// unready is UPG019: what does not run well before is not sure to run afterwards.
func unready(f Facts, _ Version) (all []Finding) {
	silent := f.names(func(n Node) bool { return !n.Ready })
	for _, c := range f.Components {
		if c.Ready || contains(silent, c.Node) {
			continue
		}
		all = append(all, Finding{ID: "UPG019", Severity: Error, Blocks: true, Nodes: []string{c.Node},
			What:     fmt.Sprintf("%s on %s is not ready", c.Name, c.Node),
			Evidence: "pod kube-system/" + c.Name + "-" + c.Node,
			Cure:     "mend that first; see: " + text.Command("kubectl", "-n", "kube-system", "logs", c.Name+"-"+c.Node, "--previous")})
	}
	return all
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
