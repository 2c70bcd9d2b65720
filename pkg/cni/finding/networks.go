// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// secondNetwork is CNI004: two networks break each other's pods.
func secondNetwork(in Input) []Finding {
	var there []string
	for _, n := range in.Networks {
		if n.CNI != in.Wanted.CNI && !slices.Contains(there, n.CNI) {
			there = append(there, n.CNI)
		}
	}
	cure := "remove one of them, then what it left in /etc/cni/net.d of each node: two networks break each other's pods"
	switch {
	case in.Wanted.CNI != "" && len(there) > 0:
		cure = "take the other one out first (" + text.Command("kubectl", "lifecycle", "cni", "uninstall", there[0]) +
			"), then what it left in /etc/cni/net.d of each node: --look names it. Two networks break each other's pods"
		return []Finding{{ID: "CNI004", Severity: Error, Blocks: true, Evidence: agentsOf(in.Networks), Cure: cure,
			What: fmt.Sprintf("%s is to be installed, and the cluster has a network already: %s", in.Wanted.CNI, text.Some(there))}}
	case len(there) > 1:
		return []Finding{{ID: "CNI004", Severity: Error, Evidence: agentsOf(in.Networks), Cure: cure,
			What: "the cluster has several networks: " + text.Some(there)}}
	}
	return nil
}

func agentsOf(networks []facts.Network) string {
	var names []string
	for _, n := range networks {
		names = append(names, n.Namespace+"/"+n.DaemonSet)
	}
	return verb(len(names), "daemonset ", "daemonsets ") + text.Some(names)
}

// managedElsewhere is CNI020: a tool would put back what an installation changes
// (flannel#2096).
func managedElsewhere(in Input) []Finding {
	var out []Finding
	for _, n := range in.Networks {
		i := slices.IndexFunc(n.Managed, func(r managedby.Release) bool { return r.Tool != managedby.Helm })
		if i < 0 || in.Wanted.CNI != "" && n.CNI != in.Wanted.CNI {
			continue
		}
		by := n.Managed[i]
		f := Finding{ID: "CNI020", Severity: Note, What: fmt.Sprintf("%s is managed by %s: change it there", n.CNI, by),
			Evidence: "the labels and annotations of daemonset " + n.Namespace + "/" + n.DaemonSet, Cure: by.Undoes()}
		if where := by.Where(); where != "" {
			f.Cure += "; see: " + where
		}
		if in.Wanted.CNI != "" && by.Tool != managedby.Operator {
			f.Severity, f.Blocks = Error, true
		}
		out = append(out, f)
	}
	return out
}

// halfMade is CNI014: a release that was left half-made, or a network without one.
func halfMade(in Input) []Finding {
	if in.Wanted.CNI != "" {
		return nil // an installation says itself what becomes of it
	}
	var out []Finding
	var twice []string // to leave one of these is no way out
	for _, group := range in.Twice() {
		twice = append(twice, group[0].CNI)
	}
	for _, r := range in.Releases {
		if r.Status.Unfinished() {
			out = append(out, Finding{ID: "CNI014", Severity: Warning,
				What:     fmt.Sprintf("Helm release %s in namespace %s is unfinished (%s)", r.Name, r.Namespace, r.Status),
				Evidence: fmt.Sprintf("revision %d, of %s", r.Revision, r.Updated.UTC().Format("2006-01-02 15:04 MST")),
				Cure:     "kubectl lifecycle cni install resumes it, once whatever else works on it has ended"})
		}
	}
	for _, n := range in.Networks {
		if byHand(n) && !slices.Contains(twice, n.CNI) {
			out = append(out, Finding{ID: "CNI014", Severity: Note, Evidence: "daemonset " + n.Namespace + "/" + n.DaemonSet + " names no release",
				What: n.CNI + " was applied as manifests: no release says with which values",
				Cure: "leave it, if it works; keep the manifests that it came from"})
		}
	}
	return out
}

// proxyMissing is CNI009: nothing translates the addresses of Services.
func proxyMissing(in Input) []Finding {
	if in.Proxy.Present {
		return nil
	}
	cure := "install kube-proxy, on a control plane: kubeadm init phase addon kube-proxy; or a network that does its work (Cilium with " +
		"kubeProxyReplacement=true)"
	finding := func(name string, blocks bool) []Finding {
		return []Finding{{ID: "CNI009", Severity: Error, Blocks: blocks, Cure: cure, Evidence: "there is no daemonset kube-proxy",
			What: fmt.Sprintf("the cluster has no kube-proxy, and %s does not do its work: Services cannot be reached", name)}}
	}
	if w := in.Wanted; w.CNI != "" {
		if n, known := network(w.CNI); known && n.NeedsProxy && !w.ReplacesProxy {
			return finding(w.CNI, true)
		}
		return nil
	}
	for _, n := range in.Networks {
		entry, known := network(n.CNI)
		if p := n.Setting.Proxy; p != nil && !*p || p == nil && known && entry.NeedsProxy {
			return finding(n.CNI, false)
		}
	}
	return nil
}

// proxyTwice is CNI009: two programs translate the addresses of Services, or the one
// would be left in the packet filter.
func proxyTwice(in Input) []Finding {
	if !in.Proxy.Present {
		return nil
	}
	if w := in.Wanted; w.CNI != "" && w.ReplacesProxy {
		return []Finding{{ID: "CNI009", Severity: Warning, Evidence: "the values of the chart, and daemonset kube-system/kube-proxy",
			What: fmt.Sprintf("%s is to do kube-proxy's work, and kube-proxy runs as well", w.CNI),
			Cure: "leave that value out; or delete the daemonset kube-proxy and its configmap, and restart the nodes one by one, so that its " +
				"rules are gone"}}
	}
	for _, n := range in.Networks {
		if p := n.Setting.Proxy; p != nil && *p && in.Wanted.CNI == "" {
			return []Finding{{ID: "CNI009", Severity: Warning, Evidence: n.Setting.Source + ", and daemonset kube-system/kube-proxy",
				What: fmt.Sprintf("%s does kube-proxy's work, and kube-proxy runs as well", n.CNI),
				Cure: "have one of them do it: delete the daemonset kube-proxy and its configmap, and restart the nodes one by one, so that its " +
					"rules are gone; or set kubeProxyReplacement=false"}}
		}
	}
	return nil
}

// kernels is CNI011: a kernel that is older than the network runs on.
func kernels(in Input) []Finding {
	var out []Finding
	for _, name := range in.names() {
		host := needsOf(name)
		var g grouper
		for _, n := range in.linux() {
			if older(n.Kernel, host.Kernel) && (host.KernelNote == "" || !backported(n.Kernel)) {
				g.add(text.Short(n.Kernel, 60), n.Name)
			}
		}
		out = append(out, g.each(func(kernel string, names []string) Finding {
			return Finding{ID: "CNI011", Severity: Error, Blocks: in.Wanted.CNI != "", Evidence: "the kubelet's report",
				What: fmt.Sprintf("%s %s kernel %s, and %s needs %s", nodes(names), verb(len(names), "runs", "run"), kernel, name,
					host.Kernel+text.Choose(host.KernelNote == "", "", " ("+host.KernelNote+" is as good)")),
				Cure: "upgrade the kernel of these hosts, or choose another network"}
		})...)
	}
	return out
}

// older says whether a kernel is older than a floor ("5.10"); one that cannot be read is
// not.
func older(kernel, floor string) bool {
	is, wanted := kernelOf(kernel), kernelOf(floor)
	return is != [2]int{} && (is[0] < wanted[0] || is[0] == wanted[0] && is[1] < wanted[1])
}

// backported says that a kernel is Red Hat's 4.18 of 8.10, which has what newer ones have
// (Cilium's system requirements).
func backported(kernel string) bool {
	return kernelOf(kernel) == [2]int{4, 18} && strings.Contains(kernel, ".el8_10")
}

// kernelOf is major and minor version of a kernel; zero for one that cannot be read.
func kernelOf(kernel string) [2]int {
	found := regexp.MustCompile(`^(\d{1,4})\.(\d{1,4})`).FindStringSubmatch(kernel)
	if found == nil {
		return [2]int{}
	}
	major, _ := strconv.Atoi(found[1]) // they are digits
	minor, _ := strconv.Atoi(found[2])
	return [2]int{major, minor}
}

// databaseLabels is CNI025: no node has the label by which the network's databases find
// theirs (kubeovn/kube-ovn#1659). Of a network that runs, only its values say which.
func databaseLabels(in Input) []Finding {
	if len(in.Wanted.Labels) == 0 || len(in.linux()) == 0 {
		return nil
	}
	var control []string
	for _, n := range in.Nodes {
		if n.ControlPlane {
			control = append(control, n.Name)
		}
	}
	var out []Finding
	for _, key := range slices.Sorted(maps.Keys(in.Wanted.Labels)) {
		value := in.Wanted.Labels[key]
		if slices.ContainsFunc(in.Nodes, func(n facts.Node) bool { return labelled(n, key, value) }) {
			continue
		}
		cure := "label the control planes"
		if len(control) > 0 {
			cure += ": " + text.Command(slices.Concat([]string{"kubectl", "label", "node"}, control, []string{key + "=" + value})...)
		}
		out = append(out, Finding{ID: "CNI025", Severity: Error, Blocks: true, Cure: cure, Evidence: "the labels of the Nodes",
			What: fmt.Sprintf("no node has the label %s=%s: the databases of %s run on those alone", key, value, in.Wanted.CNI)})
	}
	return out
}

func labelled(n facts.Node, key, value string) bool {
	got, has := n.Labels[key]
	return has && got == value || n.ControlPlane && key == "node-role.kubernetes.io/control-plane" && value == ""
}

// absent is CNI022: nodes of which nothing can be expected now.
func absent(in Input) []Finding {
	var g grouper
	for _, n := range in.linux() {
		if n.Absent != "" {
			g.add(n.Absent, n.Name)
		}
	}
	return g.each(func(why string, names []string) Finding {
		return Finding{ID: "CNI022", Severity: Note, Evidence: why,
			What: nodes(names) + verb(len(names), " is", " are") + " not served, and not waited for",
			Cure: "see: " + text.Command("kubectl", "describe", "node", names[0]) + "; one that is gone for good: kubectl lifecycle remove " +
				"--node-lost"}
	})
}

// records is CNI018: what agents have told each other leads packets astray
// (flannel#535, #1155).
func records(in Input) []Finding {
	var out []Finding
	for i, n := range in.Networks {
		entry, known := network(n.CNI)
		if !known || in.Wanted.CNI != "" || i >= len(in.Objects.Agents) {
			continue
		}
		served := map[string]bool{}
		for _, n := range in.linux() {
			served[n.Name] = n.Absent == ""
		}
		r := catalogue.Records{Agents: in.Objects.Agents[i], Pods: in.Facts.Pods.CIDRs}
		for _, node := range in.Objects.Nodes {
			if served[node.Name] {
				r.Nodes = append(r.Nodes, node)
			}
		}
		if entry.Faults != nil {
			out = append(out, ofRecords(entry.Faults(r), Error)...)
		}
		if entry.Doubts != nil {
			out = append(out, ofRecords(entry.Doubts(r), Warning)...)
		}
	}
	return out
}

// ofRecords makes findings of what the catalogue finds.
func ofRecords(faults []catalogue.Fault, severity Severity) []Finding {
	var g grouper
	hints, sees := map[string]string{}, map[string]string{}
	for _, f := range faults {
		g.add(f.Why, f.Node)
		hints[f.Why], sees[f.Why] = f.Hint, f.See
	}
	return g.each(func(why string, names []string) Finding {
		return Finding{ID: "CNI018", Severity: severity, What: nodes(names) + ": " + why, Evidence: sees[why], Cure: hints[why]}
	})
}
