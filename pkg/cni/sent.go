// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/mirror"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
)

// sent are the values by which images come through the mirror, hooks' and what an
// operator makes included, and by which pods find the Secrets to pull them with.
func sent(r catalogue.Network, req Request) (settings []values.Setting) {
	reason := "--mirror " + req.Mirror.String()
	for _, image := range r.Images {
		if to := req.Mirror.Image(image.From); to != image.From {
			settings = append(settings, values.Setting{Path: image.Path, Value: to, Reason: reason})
		}
	}
	if r.Mirrored != nil {
		for _, s := range r.Mirrored(req.Mirror.Image) {
			s.Reason = reason
			settings = append(settings, s)
		}
	}
	if len(req.PullSecrets) > 0 && r.PullSecrets.Path != "" {
		var names []any
		for _, name := range req.PullSecrets {
			if r.PullSecrets.Names {
				names = append(names, name)
				continue
			}
			names = append(names, map[string]any{"name": name})
		}
		settings = append(settings, values.Setting{Path: r.PullSecrets.Path, Value: names, Reason: "--image-pull-secret"})
	}
	return settings
}

// home is where a chart is taken from: its project's repository, or its registry
// where a mirror has what is there.
func home(repository, registry string, m mirror.Map) string {
	if through := m.Chart(registry); registry != "" && through != registry {
		return through
	}
	return m.Chart(repository)
}

// definitionsOf is where the chart of a network's definitions comes from; the zero
// Source if it has none.
func definitionsOf(r catalogue.Network, req Request) chart.Source {
	if r.Before.Chart == "" {
		return chart.Source{}
	}
	source := chart.Source{Chart: req.Mirror.Chart(req.Definitions), Name: r.Before.Chart, Roots: req.Roots}
	if req.Definitions == "" {
		source.Chart = home(r.Before.Repository, r.Before.Registry, req.Mirror)
	}
	return source
}

// outside says what a mirror does not serve: the chart, and images.
func (inst *Installation) outside() {
	if inst.mirror.Empty() {
		return
	}
	for _, source := range []chart.Source{inst.Source, inst.Definitions} {
		if strings.Contains(source.Chart, "://") && inst.mirror.Outside(strings.TrimPrefix(source.Chart, "oci://")) {
			inst.Notes = append(inst.Notes, fmt.Sprintf("the chart %s comes from %s, not through a mirror: --chart takes it from elsewhere",
				source.Name, source.Chart))
		}
	}
	for _, image := range inst.Images {
		if inst.mirror.Outside(image.Image) {
			inst.Outside = append(inst.Outside, image.Image)
		}
	}
	if len(inst.Outside) > 0 {
		inst.Notes = append(inst.Notes, "not through a mirror: "+strings.Join(inst.Outside, ", "))
	}
}
