// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Decide picks chart, values and action, and is pure. It refuses a network that
// cannot work in this cluster (class Refused), and one it does not know (class
// Misused). The action is certain once Prepare has run.
func Decide(f facts.Facts, req Request) (Installation, error) {
	r, err := catalogue.Find(req.CNI)
	if err != nil {
		return Installation{}, err
	}
	if err := obstacles(f, r, req.Adopt); err != nil {
		return Installation{}, err
	}
	return draft(f, r, req)
}

// draft is Decide for a cluster in which nothing stands in the way.
func draft(f facts.Facts, r catalogue.Network, req Request) (Installation, error) {
	computed, err := r.Values(f, req.Values)
	if err != nil {
		return Installation{}, err
	}
	computed = append(computed, sent(r, req)...)
	inst := Installation{CNI: r.Name, Notes: notes(f), mirror: req.Mirror, secrets: req.PullSecrets, kubernetes: f.Kubernetes}
	inst.Namespace, inst.Release = r.Home(f)
	inst.network = r
	inst.pods = f.Pods.CIDRs
	inst.prior = f.Release(inst.Namespace, inst.Release)
	inst.adopt = req.Adopt && inst.prior.Revision == 0
	inst.lay(computed, req.Values)
	if err := inst.hold(f, r, req.Values); err != nil {
		return inst, err
	}
	if inst.Findings, err = examine(f, r, inst.values, req.Hosts); err != nil {
		return Installation{}, err
	}
	inst.show(computed, req.Values)
	inst.choose(r, req)
	return inst, nil
}

// obstacles refuses where no values could help.
func obstacles(f facts.Facts, r catalogue.Network, adopt bool) error {
	if f.Foreign != "" {
		return plan.Refuse(fmt.Errorf("this is a %s cluster, not a kubeadm cluster", f.Foreign),
			"%s brings its own network; change it by its own means", f.Foreign)
	}
	if err := taken(f, r); err != nil {
		return err
	}
	if err := r.Untrusted(f); err != nil {
		return err
	}
	for _, n := range f.Networks {
		// What an operator makes does not name the release of its operator.
		made := r.AgentNamespace != "" && f.Release(r.Namespace, r.Name).Revision > 0
		if n.Release == "" && !adopt && !made {
			return plan.Refuse(fmt.Errorf("%s is here already, and not from a Helm release: daemonset %s/%s was applied by hand", n.CNI,
				n.Namespace, n.DaemonSet),
				"if it works, leave it. To have Helm manage it from now on: --adopt (its objects stay, and become a release's); --dry-run "+
					"shows what would change in them")
		}
	}
	if r.NeedsProxy && !f.Proxy.Present {
		return plan.Refuse(fmt.Errorf("%s needs kube-proxy, and this cluster has none: its agents could not reach the API server", r.Name),
			"install it, on a control plane: kubeadm init phase addon kube-proxy")
	}
	return nil
}

// lay puts the values together: those of the release that is there, over them
// those of the cluster, over them the person's.
func (inst *Installation) lay(computed []values.Setting, user map[string]any) {
	// Null means the chart's own value, whatever was said before: Helm would
	// take the chart's own away too, and the same command would do one thing
	// today and another tomorrow.
	inst.values = values.Merge(values.Merge(values.Forget(inst.prior.Values, user), values.Tree(computed)), values.Forget(user, user))
}

// show lists the values with the reason of each.
func (inst *Installation) show(computed []values.Setting, user map[string]any) {
	reasons := map[string]string{}
	for _, s := range computed {
		if at, ok := values.At(inst.values, s.Path); ok && values.Equal(map[string]any{"": at}, map[string]any{"": s.Value}) {
			reasons[s.Path] = s.Reason
			for path := range values.Leaves(values.Tree([]values.Setting{s})) {
				reasons[path] = s.Reason // of a value that is a tree
			}
		}
	}
	given := values.Leaves(user)
	inst.Settings = values.Show(inst.values, func(path string) string {
		if reason, ok := reasons[path]; ok {
			return reason
		}
		if _, ok := given[path]; ok {
			return "--set or --values"
		}
		return fmt.Sprintf("kept from release %s", inst.prior.Name)
	})
}

// choose picks source and action by the release that is there.
func (inst *Installation) choose(r catalogue.Network, req Request) {
	p := inst.prior
	inst.Source = chart.Source{Chart: req.Mirror.Chart(req.Chart), Name: r.ChartName(), Version: req.Version, Digest: req.Digest,
		Roots: req.Roots}
	// A mirror is asked for through values that Helm keeps, so that the same chart
	// with the same values is still nothing to do.
	asked := req.Chart != "" || req.Version != "" || req.Digest != ""
	if req.Chart == "" {
		inst.Source.Chart = home(r.Repository, r.Registry, req.Mirror)
	}
	if req.Version == "" && inst.Source.NeedsVersion() {
		inst.Source.Version = r.Version
		if p.Status == release.Deployed {
			// Without being asked, no network is upgraded, or downgraded.
			inst.Source.Version = p.Version
		}
	}
	inst.read = true
	inst.Definitions = definitionsOf(r, req)
	switch p.Status {
	case release.Deployed:
		inst.Action, inst.Because = release.Upgrade, "another chart may be there" // settle says whether
		if !values.Equal(p.Values, inst.values) {
			inst.Because = "values change: " + strings.Join(values.Changed(p.Values, inst.values), ", ")
		} else if !asked {
			inst.read = false
			inst.keep()
		}
	case release.Failed:
		inst.Action, inst.Because = release.Upgrade, fmt.Sprintf("revision %d of the release failed", p.Revision)
	case release.Superseded, release.Uninstalling, release.PendingInstall, release.PendingUpgrade, release.PendingRollback:
		inst.Action, inst.Because = release.Upgrade, fmt.Sprintf("revision %d of the release was left half-made (%s)", p.Revision, p.Status)
	case release.Uninstalled:
		inst.Action, inst.Because = release.Replace, "only the record of an uninstalled release is there"
	default:
		inst.Action, inst.Because = release.Install, "there is no release of it"
	}
}

func (inst *Installation) keep() {
	inst.Action = release.Keep
	inst.Because = fmt.Sprintf("release %s has this chart (%s) and these values", inst.Release, inst.prior.Version)
}

// settle makes the action certain once the chart is read: the same chart with
// the same values is nothing to do.
func (inst *Installation) settle(read chart.Chart) error {
	if read.Name != inst.Source.Name {
		return plan.Refuse(fmt.Errorf("%s is the chart %s, not %s", inst.Source.Chart, read.Name, inst.Source.Name),
			"give the chart of %s, or leave --chart out", inst.Source.Name)
	}
	if v := inst.Source.Version; v != "" && !chart.SameVersion(v, read.Version) {
		return plan.Refuse(fmt.Errorf("the chart at %s has version %s, not %s", inst.Source.Chart, read.Version, v),
			"leave --version out, or give the chart of that version")
	}
	inst.Chart = read
	p := inst.prior
	if err := inst.steps(read.Version); err != nil {
		return err
	}
	if p.Status != release.Deployed || !values.Equal(p.Values, inst.values) {
		return nil
	}
	switch {
	case p.Version != read.Version:
		inst.Because = fmt.Sprintf("the chart changes: %s → %s", p.Version, read.Version)
	case p.Digest != read.Digest:
		inst.Because = fmt.Sprintf("the chart has other contents under the same version %s", read.Version)
	default:
		inst.keep()
	}
	return nil
}

// notes say what is worth knowing before going on, and is no pitfall.
func notes(f facts.Facts) []string {
	var out []string
	for _, n := range f.Nodes {
		if n.OS != "linux" {
			out = append(out, fmt.Sprintf("node %s runs %s: this chart serves Linux nodes only", n.Name, n.OS))
		}
	}
	if f.DNS.Name == "" {
		out = append(out, "there is no CoreDNS in kube-system: DNS is not checked")
	}
	return out
}
