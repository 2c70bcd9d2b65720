// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"net/netip"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/health"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
)

// Request is what a person asks for.
type Request struct {
	// CNI is the network's name: "flannel".
	CNI string
	// Chart is where to take the chart from (see Source); empty means the
	// network's own repository.
	Chart string
	// Version is of the chart; empty means that of the release that is there,
	// else the one that this package was tested with.
	Version string
	// Digest is the SHA-256 of the chart's archive, "sha256:" and 64 hex digits;
	// empty means any.
	Digest string
	// Values go over those of the release that is there, null meaning the
	// chart's own value (see ReadValues). None may contradict the cluster.
	Values map[string]any
}

// Validate says whether the request makes sense, before anything is read; the
// error is of class Misused.
func (r Request) Validate() error {
	if _, err := catalogue.Find(r.CNI); err != nil {
		return err
	}
	return chart.Source{Chart: r.Chart, Digest: r.Digest}.Validate()
}

// Known lists the names of the networks that can be installed.
func Known() []string { return catalogue.Names() }

// Installation is what will be done, and why.
type Installation struct {
	CNI       string `json:"cni"`
	Namespace string `json:"namespace"`
	Release   string `json:"release"`
	// Action is what will be done with the release, Because why.
	Action  release.Action `json:"action"`
	Because string         `json:"because"`
	Source  chart.Source   `json:"source"`
	// Chart is read by Prepare, if it is needed.
	Chart chart.Chart `json:"chart,omitzero"`
	// Settings are the values that differ from the chart's own, with the reason
	// of each, sorted by path.
	Settings []values.Setting `json:"values"`
	// Objects are what will be written, once Prepare has rendered the chart.
	Objects []release.Object `json:"objects,omitempty"`
	// Notes say what is left alone, or is worth knowing.
	Notes []string `json:"notes,omitempty"`

	// network is what is particular to it.
	network catalogue.Network
	// pods is the range of the cluster's pods, if it is known.
	pods   []netip.Prefix
	prior  release.Release
	values map[string]any
	// read says that the chart has to be read before the action is certain.
	read bool
}

// target is what is waited for.
func (inst Installation) target() health.Target {
	return health.Target{
		Network: inst.network, Namespace: inst.network.AgentsIn(inst.Namespace), DaemonSet: inst.network.DaemonSet,
		Pods: inst.pods, Unchanged: inst.Action == release.Keep,
	}
}
