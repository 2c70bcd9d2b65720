// SPDX-License-Identifier: Apache-2.0

package upgrade

import "time"

// Facts are what was read of a cluster. What could not be read is empty, and in Unread.
type Facts struct {
	// Now is when it was read.
	Now time.Time
	// Served is the version of the API server that answered.
	Served Version
	Nodes  []Node
	// Components are the static pods of the control planes.
	Components []Component
	Config     Config
	// ProxyMode is kube-proxy's; empty where it is left to its default, or there is none.
	ProxyMode string
	// Backends are what the API server asks for admission, or hands requests to.
	Backends     []Backend
	Certificates []Certificate
	// Requested are deprecated APIs that clients have asked for since the API server began.
	Requested []Requested
	Networks  []Network
	// Flags are those of kubelets, where hosts were asked.
	Flags []Flag
	// Unread says of each part that could not be read why.
	Unread map[string]string
}

// Node is one node.
type Node struct {
	Name         string
	ControlPlane bool
	Ready        bool
	// Why is why it is not Ready.
	Why string
	// Cordoned says that it is unschedulable, Tainted that it takes no pods as a control plane.
	Cordoned, Tainted bool
	Kubelet           Version
	// CRISocket is what kubeadm has noted of the runtime's socket.
	CRISocket string
}

// Component is a program of a control plane.
type Component struct {
	Node, Name string
	// Image is what its pod was made with.
	Image string
	Ready bool
}

// Version is that of its image; false where its tag names none.
func (c Component) Version() (Version, bool) { return TagVersion(c.Image) }

// Config is what kubeadm keeps of the cluster.
type Config struct {
	// APIVersion is that of its ClusterConfiguration.
	APIVersion string
	// Version is the one that kubeadm has written last.
	Version Version
	// CertificatesDir is where control planes keep certificates; empty for the usual place.
	CertificatesDir string
	// ExternalEtcd says that etcd has hosts of its own; EtcdTag that its image was chosen.
	ExternalEtcd bool
	EtcdTag      string
}

// Backend is a Service that the API server asks.
type Backend struct {
	// Object is the configuration that names it: "apiservice/v1.metrics".
	Object string
	// Service is NAMESPACE/NAME.
	Service string
	// Must says that what it is asked for fails while it does not answer.
	Must bool
	// Why is why it does not answer; empty if it does.
	Why string
}

// Certificate is one that ends.
type Certificate struct {
	Node, Name string
	Ends       time.Time
}

// Requested is a deprecated API that a client has asked for.
type Requested struct {
	Group, Version, Resource string
	// Removed is the minor that has it no more ("1.40"); empty if that is not known.
	Removed string
}

// Network is a pod network, and what its project says of the target.
type Network struct {
	Name string
	// Untested is what its project does not test; empty if nothing is known.
	Untested string
}

// Flag is one of a kubelet's command line.
type Flag struct {
	Node, Name string
	// File is where it is set.
	File string
}
