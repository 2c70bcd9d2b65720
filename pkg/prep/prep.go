// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"slices"
	"strings"
)

// Severity is how much a finding matters.
type Severity string

// The severities, the worst first.
const (
	// Blocks: kubeadm or the kubelet would fail, or pods would.
	Blocks Severity = "blocks"
	// Warns: it works today, and will hurt later.
	Warns Severity = "warns"
	// Notes: something to know.
	Notes Severity = "notes"
)

// Role is what the host is to be.
type Role string

// The roles. The zero value counts as a worker.
const (
	Worker       Role = "worker"
	ControlPlane Role = "control-plane"
)

// Wanted is what the cluster, or the person, wants of the host. Zero values are not
// known and not asked for: what depends on them is not judged.
type Wanted struct {
	Role Role `json:"role,omitempty"`
	// Kubernetes is the version of the kubelet to come ("v1.36.3").
	Kubernetes string `json:"kubernetes,omitempty"`
	// CgroupDriver is the kubelet's: "systemd" (kubeadm's default) or "cgroupfs".
	CgroupDriver string `json:"cgroupDriver,omitempty"`
	// CRISocket is the runtime's, where one is named ("unix:///run/crio/crio.sock").
	CRISocket string `json:"criSocket,omitempty"`
	// SandboxImage is the pause image that the cluster's registry has.
	SandboxImage string `json:"sandboxImage,omitempty"`
	// ProxyMode is kube-proxy's: "iptables", "ipvs", "nftables"; empty where there is none.
	ProxyMode string `json:"proxyMode,omitempty"`
	// Network is the pod network ("flannel"): its ports are opened, too.
	Network string `json:"network,omitempty"`
	// IPv6 says that pods have IPv6 addresses.
	IPv6 bool `json:"ipv6,omitempty"`
	// Pods and Services are the cluster's networks ("10.244.0.0/16").
	Pods     []string `json:"pods,omitempty"`
	Services []string `json:"services,omitempty"`
	// SwapAllowed says that the cluster's kubelets are told to live with swap
	// (failSwapOn: false).
	SwapAllowed bool `json:"swapAllowed,omitempty"`
	// CgroupV1Allowed says that they are told to live with cgroup version 1
	// (failCgroupV1: false).
	CgroupV1Allowed bool `json:"cgroupV1Allowed,omitempty"`
	// ProtectKernelDefaults says that its kubelets do not start on a host whose kernel is set
	// otherwise than they would set it.
	ProtectKernelDefaults bool `json:"protectKernelDefaults,omitempty"`
	// ReservedCgroups are those that they limit (kubeReservedCgroup, systemReservedCgroup), and
	// do not start without.
	ReservedCgroups []string `json:"reservedCgroups,omitempty"`
	// ResolvConf is the file of name servers that its kubelets are told (resolvConf); nil
	// leaves it to kubeadm and the kubelet, an empty path means none.
	ResolvConf *string `json:"resolvConf,omitempty"`
	// EtcdDir is where a control plane keeps etcd's data; empty means kubeadm's default.
	EtcdDir string `json:"etcdDir,omitempty"`
	// ExternalEtcd says that control planes have no etcd of their own.
	ExternalEtcd bool `json:"externalEtcd,omitempty"`
	// Ignored are the names of kubeadm's checks whose failure is only a warning
	// (--ignore-preflight-errors), or "all".
	Ignored []string `json:"ignored,omitempty"`
	// Nodes are those that the cluster has: a host must not be one of them again.
	Nodes []Identity `json:"nodes,omitempty"`
	// Hostname and TimeZone are set on request alone.
	Hostname string `json:"hostname,omitempty"`
	TimeZone string `json:"timeZone,omitempty"`
	// Joined says that the host is a node of the cluster: what a node has is no trace
	// of another.
	Joined bool `json:"joined,omitempty"`
}

// EtcdData is the directory of etcd's data that a host would have; empty for none.
func (w Wanted) EtcdData() string {
	if w.Role != ControlPlane || w.ExternalEtcd {
		return ""
	}
	return orWord(w.EtcdDir, "/var/lib/etcd")
}

// ignores reports whether kubeadm is told to ignore one of its checks.
func (w Wanted) ignores(check string) bool {
	return slices.ContainsFunc(w.Ignored, func(name string) bool { return strings.EqualFold(name, check) || strings.EqualFold(name, "all") })
}

// Identity is by what a Node tells that it is another machine.
type Identity struct {
	Node      string `json:"node"`
	MachineID string `json:"machineID,omitempty"`
	// SystemUUID is the firmware's product_uuid.
	SystemUUID string `json:"systemUUID,omitempty"`
}

// EarlierCluster is the check that finds a host that is, or was, a node.
const EarlierCluster = "PREP092-earlier-cluster"

// Packages is the check whose changes bring packages, where that is asked for.
const Packages = "PREP103-packages"

// Finding is one thing that a check has to say.
type Finding struct {
	// ID is stable: "PREP010-swap".
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// Text is the object and the fact: "swap is on: /dev/sda2".
	Text string `json:"text"`
	// Changes mend it; empty if only a person can.
	Changes []Change `json:"changes,omitempty"`
	// WayOut is what a person does where nothing here can.
	WayOut string `json:"wayOut,omitempty"`
}

// Fixable reports whether the changes of a finding mend it.
func (f Finding) Fixable() bool { return len(f.Changes) > 0 }

// Report is what a host has answered.
type Report struct {
	Findings []Finding `json:"findings"`
	// Checked are the identifiers of the checks that found nothing.
	Checked []string `json:"checked"`
	// Unread is what could not be read, with the reason: nothing is said of it.
	Unread []string `json:"unread,omitempty"`
	// Doubtful are the checks among them that could have found something that blocks.
	Doubtful []string `json:"doubtful,omitempty"`
}

// Blocked reports whether something is left that would make kubeadm, the kubelet or
// pods fail, or may be: what could not be read is not called good.
func (r Report) Blocked() bool {
	return len(r.Doubtful) > 0 || slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Blocks })
}

// Changes are all that mend something, in the order in which they are made.
func (r Report) Changes() []Change {
	var all []Change
	for _, f := range r.Findings {
		for _, c := range f.Changes {
			if !slices.ContainsFunc(all, func(o Change) bool { return o.same(c) }) {
				all = append(all, c)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Change) int { return a.Kind.order() - b.Kind.order() })
	return all
}
