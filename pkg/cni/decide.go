// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
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
	// Values go over those of the release that is there, null meaning the
	// chart's own value (see ReadValues). None may contradict the cluster.
	Values map[string]any
}

// Validate says whether the request makes sense, before anything is read; the
// error is of class Misused.
func (r Request) Validate() error {
	if _, err := recipeOf(r.CNI); err != nil {
		return err
	}
	if _, err := url.Parse(r.Chart); err != nil && isURL(r.Chart) {
		return plan.As(plan.Misused, fmt.Errorf("--chart: %w", err))
	}
	return nil
}

// Installation is what will be done, and why.
type Installation struct {
	CNI       string `json:"cni"`
	Namespace string `json:"namespace"`
	Release   string `json:"release"`
	// Action is what will be done with the release, Because why.
	Action  Action `json:"action"`
	Because string `json:"because"`
	Source  Source `json:"source"`
	// Chart is read by Prepare, if it is needed.
	Chart Chart `json:"chart,omitzero"`
	// Settings are the values that differ from the chart's own, with the reason
	// of each, sorted by path.
	Settings []Setting `json:"values"`
	// Objects are what will be written, once Prepare has rendered the chart.
	Objects []Object `json:"objects,omitempty"`
	// Notes say what is left alone, or is worth knowing.
	Notes []string `json:"notes,omitempty"`

	// daemonSet is the agents', in Namespace.
	daemonSet string
	prior     Release
	values    map[string]any
	// read says that the chart has to be read before the action is certain.
	read bool
}

// Known lists the names of the networks that can be installed.
func Known() []string {
	var names []string
	for _, r := range recipes() {
		names = append(names, r.name)
	}
	return names
}

// Decide picks chart, values and action, and is pure. It refuses a network that
// cannot work in this cluster (class Refused), and one it does not know (class
// Misused). The action is certain once Prepare has run.
func Decide(f Facts, req Request) (Installation, error) {
	r, err := recipeOf(req.CNI)
	if err != nil {
		return Installation{}, err
	}
	if err := obstacles(f, r); err != nil {
		return Installation{}, err
	}
	computed, err := r.values(f, req.Values)
	if err != nil {
		return Installation{}, err
	}
	inst := Installation{CNI: r.name, Notes: notes(f)}
	inst.Namespace, inst.Release = f.home(r)
	inst.daemonSet = r.daemonSet
	inst.prior = f.release(inst.Namespace, inst.Release)
	inst.lay(computed, req.Values)
	inst.choose(r, req)
	return inst, nil
}

func recipeOf(name string) (recipe, error) {
	for _, r := range recipes() {
		if r.name == name {
			return r, nil
		}
	}
	return recipe{}, plan.As(plan.Misused, plan.Hint(fmt.Errorf("unknown network %q", name), "known: %s", strings.Join(Known(), ", ")))
}

// recipe is the one that the installation was decided by.
func (inst Installation) recipe() recipe {
	r, _ := recipeOf(inst.CNI) // Decide has found it by this name
	return r
}

// obstacles refuses where no values could help.
func obstacles(f Facts, r recipe) error {
	if f.Foreign != "" {
		return plan.Refuse(fmt.Errorf("this is a %s cluster, not one of kubeadm's", f.Foreign),
			"%s brings its own network; change it by its own means", f.Foreign)
	}
	for _, n := range f.Networks {
		if n.CNI != r.name {
			return plan.Refuse(fmt.Errorf("this cluster has a network already: %s (daemonset %s/%s)", n.CNI, n.Namespace, n.DaemonSet),
				"two networks break each other's pods. Remove %s first, then what it left in /etc/cni/net.d of each node", n.CNI)
		}
		if n.Release == "" {
			return plan.Refuse(fmt.Errorf("%s is here already, and not from a Helm release: daemonset %s/%s was applied by hand", n.CNI, n.Namespace, n.DaemonSet),
				"if it works, leave it. To manage it from now on, delete the manifest it came from (kubectl delete -f; running pods keep their network) and run this again")
		}
	}
	if r.needsProxy && !f.Proxy.Present {
		return plan.Refuse(fmt.Errorf("%s needs kube-proxy, and this cluster has none: its agents could not reach the API server", r.name),
			"install it, on a control plane: kubeadm init phase addon kube-proxy")
	}
	return nil
}

// lay puts the values together: those of the release that is there, over them
// those of the cluster, over them the person's.
func (inst *Installation) lay(computed []Setting, user map[string]any) {
	fromCluster, reasons := map[string]any{}, map[string]string{}
	for _, s := range computed {
		fromCluster[s.Path] = s.Value
		reasons[s.Path] = s.Reason
	}
	// Null means the chart's own value, whatever was said before: Helm would
	// take the chart's own away too, and the same command would do one thing
	// today and another tomorrow.
	inst.values = merge(merge(forget(inst.prior.Values, user), fromCluster), forget(user, user))
	given := leaves(user)
	inst.Settings = settings(inst.values, func(path string) string {
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
func (inst *Installation) choose(r recipe, req Request) {
	p := inst.prior
	inst.Source = Source{Chart: req.Chart, Name: r.name, Version: req.Version}
	asked := req.Chart != "" || req.Version != ""
	if req.Chart == "" {
		inst.Source.Chart = r.repository
	}
	if req.Version == "" && needsVersion(inst.Source.Chart) {
		inst.Source.Version = r.version
		if p.Status == Deployed {
			// Without being asked, nobody's network is upgraded, or downgraded.
			inst.Source.Version = p.Version
		}
	}
	inst.read = true
	switch p.Status {
	case Deployed:
		inst.Action, inst.Because = Upgrade, "another chart may be there" // settle says whether
		if !equalValues(p.Values, inst.values) {
			inst.Because = "values change: " + strings.Join(changed(p.Values, inst.values), ", ")
		} else if !asked {
			inst.read = false
			inst.keep()
		}
	case Failed:
		inst.Action, inst.Because = Upgrade, fmt.Sprintf("revision %d of the release failed", p.Revision)
	case Superseded, Uninstalling, PendingInstall, PendingUpgrade, PendingRollback:
		inst.Action, inst.Because = Upgrade, fmt.Sprintf("revision %d of the release was left half-made (%s)", p.Revision, p.Status)
	case Uninstalled:
		inst.Action, inst.Because = Replace, "only the record of an uninstalled release is there"
	default:
		inst.Action, inst.Because = Install, "there is no release of it"
	}
}

func (inst *Installation) keep() {
	inst.Action = Keep
	inst.Because = fmt.Sprintf("release %s has this chart (%s) and these values", inst.Release, inst.prior.Version)
}

// settle makes the action certain once the chart is read: the same chart with
// the same values is nothing to do.
func (inst *Installation) settle(chart Chart) error {
	if chart.Name != inst.Source.Name {
		return plan.Refuse(fmt.Errorf("%s is the chart %s, not %s", inst.Source.Chart, chart.Name, inst.Source.Name),
			"give the chart of %s, or leave --chart out", inst.Source.Name)
	}
	if v := inst.Source.Version; v != "" && !sameVersion(v, chart.Version) {
		return plan.Refuse(fmt.Errorf("the chart at %s has version %s, not %s", inst.Source.Chart, chart.Version, v),
			"leave --version out, or give the chart of that version")
	}
	inst.Chart = chart
	p := inst.prior
	if p.Status != Deployed || !equalValues(p.Values, inst.values) {
		return nil
	}
	switch {
	case p.Version != chart.Version:
		inst.Because = fmt.Sprintf("the chart changes: %s → %s", p.Version, chart.Version)
	case p.Digest != chart.Digest:
		inst.Because = fmt.Sprintf("the chart has other contents under the same version %s", chart.Version)
	default:
		inst.keep()
	}
	return nil
}

// sameVersion compares versions with or without the leading v that flannel's
// charts have and others have not.
func sameVersion(a, b string) bool {
	return strings.TrimPrefix(a, "v") == strings.TrimPrefix(b, "v")
}

// notes say what is worth knowing before going on.
func notes(f Facts) []string {
	var out []string
	if len(f.Proxy.CIDRs) > 0 && len(f.Pods.CIDRs) > 0 && !same(f.Proxy.CIDRs, f.Pods.CIDRs) {
		out = append(out, fmt.Sprintf("kube-proxy has clusterCIDR %s, the cluster's pods are in %s: correct it in configmap kube-system/kube-proxy, or traffic to Services is masqueraded",
			listed(f.Proxy.CIDRs), listed(f.Pods.CIDRs)))
	}
	for _, n := range f.Nodes {
		if n.OS != "linux" {
			out = append(out, fmt.Sprintf("node %s runs %s: this chart serves Linux nodes only", n.Name, n.OS))
		}
	}
	if f.DNS.Name == "" {
		out = append(out, "there is no CoreDNS in kube-system: names are not looked at")
	}
	return out
}
