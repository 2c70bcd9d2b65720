// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
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
	// Endpoint is the controlPlaneEndpoint that the cluster was made with, Server
	// the address in cluster-info; empty if nothing says it.
	Endpoint string `json:"controlPlaneEndpoint,omitempty"`
	Server   string `json:"server,omitempty"`
	Proxy    Proxy  `json:"kubeProxy"`
	// Kubernetes is the version that kubeadm gave the control plane; empty if
	// nothing says it.
	Kubernetes string `json:"kubernetes,omitempty"`
	// Nodes are sorted by name.
	Nodes []Node `json:"nodes"`
	// Networks are the networks whose agents are there already.
	Networks []Network `json:"networks"`
	// Endings are what of a network is being deleted.
	Endings []Ending `json:"beingDeleted,omitempty"`
	DNS     DNS      `json:"coreDNS"`
	// Administered are the namespaces beside kube-system in which only administrators
	// may make objects; see MayTrust.
	Administered []string `json:"-"`
	// Releases are the Helm releases of the networks that can be installed.
	Releases []release.Release `json:"releases,omitempty"`
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
	// Mode is how it works, in its own word; empty means its default, iptables.
	Mode string `json:"mode,omitempty"`
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
	// ControlPlane says that it runs an API server.
	ControlPlane bool `json:"controlPlane,omitempty"`
	// Labels are the Node's.
	Labels map[string]string `json:"-"`
	// Kernel, Runtime and Arch are what its kubelet reports: "6.1.0-25-amd64",
	// "containerd://2.1.4", "amd64".
	Kernel  string `json:"kernel,omitempty"`
	Runtime string `json:"runtime,omitempty"`
	Arch    string `json:"architecture,omitempty"`
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
	// Managed is what keeps the DaemonSet as it is, Helm included: Flux, Argo CD,
	// an operator. Empty if it was applied by hand.
	Managed []managedby.Release `json:"managedBy,omitempty"`
	// Desired is on how many nodes it is to run, and Writes says that it writes the
	// network's configuration there.
	Desired int32 `json:"desired"`
	Writes  bool  `json:"writesConfiguration,omitempty"`
	// Images are those of the agents' template, PullSecrets the names of the
	// Secrets with which they are pulled.
	Images      []string `json:"images,omitempty"`
	PullSecrets []string `json:"imagePullSecrets,omitempty"`
	Setting     Setting  `json:"setting,omitzero"`
}

// Setting is what a network's own configuration says of addresses. What it does
// not say is empty.
type Setting struct {
	// Source says where it was read.
	Source string `json:"source,omitempty"`
	// IPAM is who gives out addresses, in the network's own word.
	IPAM string `json:"ipam,omitempty"`
	// Pool is where the pods' addresses come from.
	Pool []netip.Prefix `json:"pool,omitempty"`
	// Join is the range by which nodes reach pods (Kube-OVN).
	Join []netip.Prefix `json:"join,omitempty"`
	// Services is what the network takes for the range of the Services (Kube-OVN).
	Services []netip.Prefix `json:"services,omitempty"`
	// Proxy says whether it does kube-proxy's work; nil if nothing says so.
	Proxy *bool `json:"replacesKubeProxy,omitempty"`
}

// DNS is the CoreDNS Deployment; the zero value says that there is none.
type DNS struct {
	Name      string `json:"name,omitempty"`
	Desired   int32  `json:"desired"`
	Available int32  `json:"available"`
}

// Network returns the network of that name, if its agents are there: those in a
// namespace of administrators before all others.
func (f Facts) Network(cni string) (found Network, ok bool) {
	for _, n := range f.Networks {
		if n.CNI == cni && (!ok || f.MayTrust(n.Namespace) && !f.MayTrust(found.Namespace)) {
			found, ok = n, true
		}
	}
	return found, ok
}

// MayTrust reports whether what an object of a namespace says of itself may decide what
// is changed with the rights of the person here. Every user who may make a DaemonSet and
// a Secret in a namespace of theirs can call the one like a network's agents and put
// any objects and hooks into a Helm release in the other. That is so in kube-system for
// those alone who are root on the nodes, and elsewhere where the namespace has the label
// that only administrators set (Pod Security Standards, enforce: privileged).
func (f Facts) MayTrust(namespace string) bool {
	return namespace == "kube-system" || slices.Contains(f.Administered, namespace)
}

// Untrusted refuses (class Refused) to change a network by the word of an object in a
// namespace that may not be trusted; what is that object, for a person. Nil if it may.
func (f Facts) Untrusted(what, namespace string) error {
	if f.MayTrust(namespace) {
		return nil
	}
	return plan.Refuse(fmt.Errorf("%s is in namespace %s, which is not marked as one of administrators: who may write there could choose "+
		"what is changed with your rights", what, namespace),
		"look at it; delete it if it is not the network's. If only administrators may write there: %s", text.Command("kubectl", "label",
			"namespace", namespace, kube.EnforceLabel+"="+kube.EnforcePrivileged))
}

// Release returns the release of that name; the zero Release if there is none.
func (f Facts) Release(namespace, name string) release.Release {
	for _, r := range f.Releases {
		if r.Namespace == namespace && r.Name == name {
			return r
		}
	}
	return release.Release{}
}

// Without is what a cluster would say if a network, its release and what of it is being
// deleted were gone.
func (f Facts) Without(cni, namespace, release string) Facts {
	networks, endings, releases := []Network{}, []Ending(nil), f.Releases[:0:0]
	for _, n := range f.Networks {
		if n.CNI != cni {
			networks = append(networks, n)
		}
	}
	for _, e := range f.Endings {
		if e.CNI != cni {
			endings = append(endings, e)
		}
	}
	for _, r := range f.Releases {
		if r.Namespace != namespace || r.Name != release {
			releases = append(releases, r)
		}
	}
	f.Networks, f.Endings, f.Releases = networks, endings, releases
	return f
}
