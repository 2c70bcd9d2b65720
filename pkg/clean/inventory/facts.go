// SPDX-License-Identifier: Apache-2.0

package inventory

import "time"

// Facts are what the cluster knows about a node and the host alone does not:
// they make the difference between "looks like ours" and "is ours". They are
// gathered while the API still answers and travel to the host as JSON. Every
// field may be empty; less is then provable, and less is removed.
type Facts struct {
	// Node is the name of the Node object.
	Node string `json:"node"`
	// PodCIDRs are the pod networks of all nodes and of the cluster as a
	// whole, in CIDR notation, both families. A route is only ours if it leads
	// into one of them.
	PodCIDRs []string `json:"podCIDRs,omitempty"`
	// ServiceCIDRs are the service networks, both families.
	ServiceCIDRs []string `json:"serviceCIDRs,omitempty"`
	// IPVSExclude are the networks whose virtual services kube-proxy leaves alone,
	// in CIDR notation (its excludeCIDRs, --ipvs-exclude-cidrs).
	IPVSExclude []string `json:"ipvsExclude,omitempty"`
	// NodeIPs are the internal addresses of all nodes: the gateways that a pod
	// network without tunnels routes through.
	NodeIPs []string `json:"nodeIPs,omitempty"`
	// NodePods are the pod networks that the cluster has given to nodes, each after an
	// address of that node: "192.0.2.11 10.244.2.0/24". A node chooses the address, and not
	// the network: a route is a pod network's if both fit.
	NodePods []string `json:"nodePods,omitempty"`
	// Announced are the addresses of the cluster's load balancers that are not a Node's:
	// kube-vip, say, gives them to a card of one host after the other.
	Announced []string `json:"announced,omitempty"`
	// AnnouncedUnread says that these could not be read, so that none is recognised.
	AnnouncedUnread bool `json:"announcedUnread,omitempty"`
	// APIServers are the URLs of the API servers, each at its own address: the kubeconfigs
	// of a host may all lead to a proxy on the host itself, which every cluster may have.
	APIServers []string `json:"apiServers,omitempty"`
	// ControlPlane says that the host runs an API server, too; ControlPlanes
	// are the internal addresses of all others that do.
	ControlPlane  bool     `json:"controlPlane,omitempty"`
	ControlPlanes []string `json:"controlPlanes,omitempty"`
	// CNI is the pod network's name ("flannel"); empty means unknown. It never
	// widens what is removed.
	CNI string `json:"cni,omitempty"`
	// CRISocket is the runtime's socket as the cluster knows it, with or without "unix://".
	// It replaces nothing that the kubelet itself runs with, and is asked besides.
	CRISocket string `json:"criSocket,omitempty"`
	// Keep are paths whose data a person was told stays on the host: hostPath and local
	// volumes of its pods. A removal that would take one of them does not begin.
	Keep []string `json:"keep,omitempty"`
	// KubeletRoot is the kubelet's --root-dir; empty means what the host itself tells.
	KubeletRoot string `json:"kubeletRoot,omitempty"`
	// Registered is when the Node was made, by the API server's clock: a date of the join that
	// the host tells and that is later is not believed.
	Registered time.Time `json:"registered,omitzero"`
	// Joined is when the host joined, by the host's own clock; zero means that
	// Survey finds out from the birth of the kubelet's files. What is older
	// than this was there before Kubernetes and stays.
	Joined time.Time `json:"joined,omitzero"`
}

// MostAnnounced is how many addresses of load balancers travel to a host.
const MostAnnounced = 4096

// DefaultKubeletRoot is where a kubelet keeps its state unless told otherwise.
const DefaultKubeletRoot = "/var/lib/kubelet"
