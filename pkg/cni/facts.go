// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"net/netip"
	"time"
)

// Facts is what a cluster says of its network.
type Facts struct {
	// Foreign is what made the cluster, if it was not kubeadm: "k3s".
	Foreign string `json:"foreign,omitempty"`
	// Pods is the range that the cluster gives its nodes' pod ranges from; no
	// CIDRs if nothing in the cluster says it.
	Pods Range `json:"pods"`
	// Services is the range of the Services; no CIDRs if nothing says it.
	Services Range `json:"services"`
	Proxy    Proxy `json:"kubeProxy"`
	// Nodes are sorted by name.
	Nodes []Node `json:"nodes"`
	// Networks are the networks whose agents are there already.
	Networks []Network `json:"networks"`
	DNS      DNS       `json:"coreDNS"`
	// Releases are the Helm releases of the networks that can be installed.
	Releases []Release `json:"releases,omitempty"`
}

// Range is one range of addresses: one CIDR, or two in a dual-stack cluster.
type Range struct {
	CIDRs []netip.Prefix `json:"cidrs"`
	// Source says where it was read.
	Source string `json:"source,omitempty"`
}

// Proxy is kube-proxy.
type Proxy struct {
	Present bool `json:"present"`
	// CIDRs is its clusterCIDR: traffic from elsewhere to a Service is
	// masqueraded. Empty if it has none.
	CIDRs []netip.Prefix `json:"clusterCIDRs,omitempty"`
}

// Node is what matters of a node.
type Node struct {
	Name string `json:"name"`
	// OS is "linux" or "windows".
	OS    string `json:"os"`
	Ready bool   `json:"ready"`
	// Message is what the kubelet says while the node is not ready.
	Message   string         `json:"message,omitempty"`
	PodCIDRs  []netip.Prefix `json:"podCIDRs"`
	Addresses []netip.Addr   `json:"addresses"`
	// Absent says why nothing can be expected of it now; empty if something can.
	Absent string `json:"absent,omitempty"`
	// Grown says that it has been there long enough to have a pod CIDR.
	Grown bool `json:"grown,omitempty"`
}

// Network is the agent DaemonSet of a pod network.
type Network struct {
	CNI       string `json:"cni"`
	Namespace string `json:"namespace"`
	DaemonSet string `json:"daemonSet"`
	// Release and ReleaseNamespace are of the Helm release that it says it
	// belongs to; empty if it was applied another way.
	Release          string `json:"release,omitempty"`
	ReleaseNamespace string `json:"releaseNamespace,omitempty"`
}

// DNS is the CoreDNS Deployment; the zero value says that there is none.
type DNS struct {
	Name      string `json:"name,omitempty"`
	Desired   int32  `json:"desired"`
	Available int32  `json:"available"`
}

// Release is a Helm release: the newest revision of it. The zero value
// (revision 0) says that there is none.
type Release struct {
	Name      string    `json:"name"`
	Namespace string    `json:"namespace"`
	Revision  int       `json:"revision"`
	Status    Status    `json:"status"`
	Updated   time.Time `json:"updated"`
	// Chart, Version and Digest are of the chart of this revision.
	Chart   string `json:"chart"`
	Version string `json:"version"`
	Digest  string `json:"-"`
	// Values are those of the newest revision that was deployed, and nil if
	// none was: what a half-made one was given may be why it is half-made.
	Values map[string]any `json:"-"`
}

// Status is the state of a release, in Helm's words.
type Status string

// The states of a release.
const (
	Deployed        Status = "deployed"
	Failed          Status = "failed"
	Superseded      Status = "superseded"
	Uninstalled     Status = "uninstalled"
	Uninstalling    Status = "uninstalling"
	PendingInstall  Status = "pending-install"
	PendingUpgrade  Status = "pending-upgrade"
	PendingRollback Status = "pending-rollback"
)

// unfinished tells of a release that somebody works on, or was killed at.
func (s Status) unfinished() bool {
	switch s {
	case Uninstalling, PendingInstall, PendingUpgrade, PendingRollback:
		return true
	case Deployed, Failed, Superseded, Uninstalled:
	}
	return false
}

// network returns the network of that name, if its agents are there.
func (f Facts) network(cni string) (Network, bool) {
	for _, n := range f.Networks {
		if n.CNI == cni {
			return n, true
		}
	}
	return Network{}, false
}

// release returns the release of that name; the zero Release if there is none.
func (f Facts) release(namespace, name string) Release {
	for _, r := range f.Releases {
		if r.Namespace == namespace && r.Name == name {
			return r
		}
	}
	return Release{}
}
