// SPDX-License-Identifier: Apache-2.0

package catalogue

import "github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"

// Tested is a line of charts and the Kubernetes versions that the network's own
// project tests it with.
type Tested struct {
	// Line is major and minor version of the chart: "1.19".
	Line string `json:"line"`
	// From and To are the lowest and highest Kubernetes minor: "1.31". Empty
	// means that the project does not say.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Host is what a network wants of each host.
type Host struct {
	// Kernel is the lowest version of Linux, KernelNote what is as good.
	Kernel, KernelNote string
	// Modules have to be in the kernel or loaded.
	Modules []string
	// Plugins are reference plugins that it calls and does not bring.
	Plugins []string
	// Ports are those that its agents open on the host.
	Ports []networks.Port
	// BinOwner says that the directory of plugins has to be root's, because the
	// agent writes there without the right to ignore an owner.
	BinOwner bool
	// Conflist is its file in /etc/cni/net.d.
	Conflist string
}

// Leftovers are what a network leaves behind when its release is gone.
type Leftovers struct {
	// Links are names of network devices, "*" standing for the rest of a name.
	Links []string
	// Paths are of files and directories on a host.
	Paths []string
	// Rules are the chains and tables of the packet filter.
	Rules []string
	// Objects stay in the API: kinds of its custom resources.
	Objects []string
	// Made are the kinds whose objects its agents write for themselves: no person's
	// work is in them.
	Made []Kind
	// Annotations and Taints are what it writes on Nodes, by their whole names; what a
	// person writes for it is not among them. Up begins the reason of the condition
	// NetworkUnavailable by which it says that it works.
	Annotations, Taints []string
	Up                  string
}

// Kind is a kind of custom resources.
type Kind struct{ Group, Version, Resource string }

// Workload is a Deployment or DaemonSet, beside the agents, that has to be there
// before the network works for good.
type Workload struct {
	Kind, Namespace, Name string
	// Optional says that a value of the chart leaves it out.
	Optional bool
}

// Condition is what a custom resource has to say before the network works.
type Condition struct {
	Group, Version, Resource, Name string
	// Type is the condition's, Status what it has to be: "True".
	Type, Status string
}
