// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// oldestKubelet is how many minors a kubelet may be behind the API server
// (Kubernetes 1.28, version skew policy).
const oldestKubelet = 3

// tooFar is UPG001: kubeadm goes one minor at a time, and so does the API's storage.
func tooFar(f Facts, target Version) []Finding {
	if f.Served.Zero() || f.Served.MinorsTo(target) <= 1 {
		return nil
	}
	return []Finding{{ID: "UPG001", Severity: Error, Blocks: true,
		What:     fmt.Sprintf("from %s to %s is more than one minor version, and kubeadm upgrades by one at a time", f.Served, target),
		Evidence: "the API server serves " + f.Served.String(),
		Cure: "go to " + f.Served.Next().Line() + " first: " + text.Command("kubectl", "lifecycle", "upgrade", "plan",
			f.Served.Next().String())}}
}

// back is UPG002: nothing that a newer version has written is sure to be read by an older one.
func back(f Facts, target Version) []Finding {
	if f.Served.Zero() || f.Served.Compare(target) <= 0 {
		return nil
	}
	return []Finding{{ID: "UPG002", Severity: Error, Blocks: true,
		What:     fmt.Sprintf("%s is older than what runs, %s", target, f.Served),
		Evidence: "the API server serves " + f.Served.String(),
		Cure:     "name a version that is not older than what runs"}}
}

// kubelets is UPG003: kubelets that the target's API server does not support, or that are
// newer than it.
func kubelets(f Facts, target Version) []Finding {
	old, fresh := map[string][]string{}, map[string][]string{}
	for _, n := range f.Nodes {
		switch behind := n.Kubelet.MinorsTo(target); {
		case n.Kubelet.Zero():
		case behind > oldestKubelet:
			old[n.Kubelet.String()] = append(old[n.Kubelet.String()], n.Name)
		case behind < 0:
			fresh[n.Kubelet.String()] = append(fresh[n.Kubelet.String()], n.Name)
		}
	}
	all := each(old, func(version string, names []string) Finding {
		return Finding{ID: "UPG003", Severity: Error, Blocks: true, Nodes: names, Evidence: "kubelet " + version,
			What: fmt.Sprintf("the kubelet of %s would be more than %d minors behind the API server", nodes(names), oldestKubelet),
			Cure: "bring it to the version that the cluster has first, on the host, drained: kubeadm upgrade node, then the kubelet"}
	})
	return append(all, each(fresh, func(version string, names []string) Finding {
		return Finding{ID: "UPG003", Severity: Error, Blocks: true, Nodes: names, Evidence: "kubelet " + version,
			What: fmt.Sprintf("the kubelet of %s is newer than %s", nodes(names), target),
			Cure: "upgrade to the kubelet's minor, or install the older kubelet there"}
	})...)
}

// mixed is UPG004: the control planes are not of one version, which is an upgrade that has
// not ended, or one that went on by hand.
func mixed(f Facts, _ Version) []Finding {
	versions := map[string][]string{}
	var oldest, newest Version
	for _, c := range f.Components {
		v, known := c.Version()
		if c.Name != "kube-apiserver" || !known {
			continue
		}
		versions[v.String()] = append(versions[v.String()], c.Node)
		if oldest.Zero() || v.Compare(oldest) < 0 {
			oldest = v
		}
		if v.Compare(newest) > 0 {
			newest = v
		}
	}
	if len(versions) < 2 {
		return nil
	}
	found := Finding{ID: "UPG004", Severity: Warning, Evidence: "images of the pods kube-apiserver-NODE",
		What: fmt.Sprintf("the control planes are not of one version: %s on %s, %s on %s", oldest, text.Some(versions[oldest.String()]), newest,
			text.Some(versions[newest.String()])),
		Cure: "end that upgrade first, on each of the older ones: kubeadm upgrade node"}
	if oldest.MinorsTo(newest) > 1 {
		found.Severity, found.Blocks = Error, true
		found.Cure = "bring the oldest of them within one minor first, by hand: kubeadm upgrade node"
	}
	return []Finding{found}
}

// prerelease is UPG021.
func prerelease(_ Facts, target Version) []Finding {
	if target.Pre == "" {
		return nil
	}
	return []Finding{{ID: "UPG021", Severity: Error, Blocks: true, What: target.String() + " is no release",
		Evidence: "the part after the minus sign", Cure: "name a release: " + Version{Major: target.Major, Minor: target.Minor}.Line() + ".N"}}
}
