// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
)

// assumedKubernetes is rendered for where nothing says the version.
const assumedKubernetes = "v1.36.0"

// Compose says what would be installed, whatever stands in the way of it now, and
// reads and renders the chart for it without asking the API. It is for those who
// want to know images and values before.
func Compose(ctx context.Context, releases release.Store, f facts.Facts, req Request) (Installation, error) {
	r, err := catalogue.Find(req.CNI)
	if err != nil {
		return Installation{}, err
	}
	inst, err := draft(f, r, req)
	if err != nil {
		return inst, err
	}
	if err := inst.load(ctx, releases); err != nil {
		return inst, err
	}
	rendered, err := releases.Template(ctx, inst.desired(), inst.version())
	if err != nil {
		return inst, renderError(inst, err)
	}
	inst.take(rendered)
	return inst, nil
}

// Typical is what a cluster says that kubeadm has just made, with its usual ranges: for
// those who have none yet.
func Typical(kubernetes string) facts.Facts {
	pods, services := netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("10.96.0.0/12")
	usual := "usual with kubeadm"
	f := facts.Facts{
		Kubernetes: kubernetes,
		Pods:       facts.Range{CIDRs: []netip.Prefix{pods}, Source: usual},
		Services:   facts.Range{CIDRs: []netip.Prefix{services}, Source: usual},
		Proxy:      facts.Proxy{Present: true},
	}
	for i := range 3 {
		f.Nodes = append(f.Nodes, facts.Node{
			Name: fmt.Sprintf("node%d", i), OS: "linux", ControlPlane: i == 0, Arch: "amd64",
			PodCIDRs: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(i), 0}), 24)},
		})
	}
	return f
}

// Differing are the values that differ from the chart's own, with the reason of each.
func (inst Installation) Differing(own map[string]any) []values.Setting {
	var out []values.Setting
	for _, s := range inst.Settings {
		if at, ok := values.At(own, s.Path); ok && values.Equal(map[string]any{"": at}, map[string]any{"": s.Value}) {
			continue
		}
		out = append(out, s)
	}
	return out
}

// Catalogue lists the networks that can be installed.
func Catalogue() []catalogue.Network { return catalogue.Networks() }
