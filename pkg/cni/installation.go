// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"crypto/x509"
	"net/netip"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/health"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/mirror"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
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
	// Mirror says from where charts and images are taken instead.
	Mirror mirror.Map
	// PullSecrets are Secrets in the network's namespace to pull images with.
	PullSecrets []string
	// Definitions is where the chart of definitions is taken from, for a network
	// that has one (see catalogue.Prerequisite); empty means its own repository.
	Definitions string
	// Adopt takes over a network that was applied without Helm.
	Adopt bool
	// Roots are the authorities that registries are checked with; nil means this
	// machine's.
	Roots *x509.CertPool
	// Hosts are what hosts have for their network, where they were asked.
	Hosts []wire.HostNetwork
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
	if err := (chart.Source{Chart: r.Definitions}).Validate(); err != nil {
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
	// Definitions is where the chart of definitions comes from, for a network that
	// has one.
	Definitions chart.Source `json:"definitions,omitzero"`
	// Objects are what will be written, once Prepare has rendered the chart; Changes
	// are what an upgrade changes in those that are there.
	Objects []release.Object `json:"objects,omitempty"`
	Changes []release.Change `json:"changes,omitempty"`
	// Images are those of all its pods, Outside those that no mirror serves.
	Images  []release.Image `json:"images,omitempty"`
	Outside []string        `json:"outsideOfMirror,omitempty"`
	// Notes say what is left alone, or is worth knowing.
	Notes []string `json:"notes,omitempty"`

	// Findings are what may go wrong, each with an id that 'cni explain' explains.
	Findings []finding.Finding `json:"findings,omitempty"`

	// network is what is particular to it.
	network catalogue.Network
	// pods is the range of the cluster's pods, if it is known.
	pods  []netip.Prefix
	prior release.Release
	// mirror, secrets and adopt are as asked.
	mirror  mirror.Map
	secrets []string
	adopt   bool
	// kubernetes is the cluster's version, or one to render for.
	kubernetes string
	// definitions is the chart of definitions, read by Prepare; define says that
	// there are definitions to apply first, in it or in the chart itself.
	definitions chart.Chart
	define      bool
	values      map[string]any
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
