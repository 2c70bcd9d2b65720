// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/health"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// expectedPending is CNI010 in a cluster without a network: what looks broken is
// only early.
func expectedPending(in Input) []Finding {
	if len(in.Networks) > 0 || in.Wanted.CNI != "" || in.DNS.Name == "" || in.DNS.Available > 0 {
		return nil
	}
	return []Finding{{ID: "CNI010", Severity: Note, What: "CoreDNS waits for a network: that is expected, for there is none yet",
		Evidence: fmt.Sprintf("deployment kube-system/%s has %d of %d pods available", in.DNS.Name, in.DNS.Available, in.DNS.Desired),
		Cure:     "kubectl lifecycle cni install NAME"}}
}

// unanswered is CNI029: there is a network, and no CoreDNS pod that answers. A
// Deployment that was scaled to none is no less silent than one that cannot start.
func unanswered(in Input) []Finding {
	if len(in.Networks) == 0 || in.Wanted.CNI != "" || in.DNS.Name == "" || in.DNS.Available > 0 {
		return nil
	}
	cure := "see what its pods wait for: kubectl -n kube-system describe pods -l k8s-app=kube-dns"
	if in.DNS.Desired == 0 {
		cure = text.Command("kubectl", "-n", "kube-system", "scale", "deployment", in.DNS.Name, "--replicas=2")
	}
	return []Finding{{ID: "CNI029", Severity: Error, What: "no name is resolved: no pod of CoreDNS is available", Cure: cure,
		Evidence: fmt.Sprintf("deployment kube-system/%s has %d of %d pods available", in.DNS.Name, in.DNS.Available, in.DNS.Desired)}}
}

// oldPods is CNI010: pods from before the network, or from an earlier one, keep
// their old addresses (cilium#17292).
func oldPods(in Input) []Finding {
	if len(in.Networks) == 0 || len(in.Pods.Strays) == 0 || in.Wanted.CNI != "" {
		return nil
	}
	n := 0
	var owners []string
	for _, s := range in.Pods.Strays {
		n += s.Pods
		owners = append(owners, s.Namespace+"/"+s.Owner)
	}
	return []Finding{{ID: "CNI010", Severity: Warning,
		What: fmt.Sprintf("%d %s an address that the network does not give out: %s from before it", n, verb(n, "pod has", "pods have"),
			verb(n, "it is", "they are")),
		Evidence: fmt.Sprintf("of %s; %s is one of the addresses", text.Some(owners), in.Pods.Strays[0].Example),
		Cure:     "restart them: kubectl -n NAMESPACE rollout restart deployment/NAME; recreate a pod without a controller by hand"}}
}

// noConfig are the words of runtimes that have read no configuration of a network:
// containerd, CRI-O, dockershim's successor.
func noConfig(message string) bool {
	message = strings.ToLower(message)
	for _, words := range []string{"cni plugin not initialized", "no cni configuration file", "cni config uninitialized",
		"no networks found in"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// lostWatch is CNI006: the agent has been ready for a minute and has written its
// configuration, and the runtime has not seen it (containerd#11209).
func lostWatch(in Input) []Finding {
	ready := map[string]bool{}
	for _, agents := range in.Pods.Agents {
		for _, pod := range agents {
			if health.ReadyFor(pod, health.WatchLostAfter) {
				ready[pod.Spec.NodeName] = true
			}
		}
	}
	var g grouper
	for _, n := range in.linux() {
		if !n.Ready && n.Absent == "" && ready[n.Name] && noConfig(n.Message) {
			g.add(in.whyUnseen(n.Name), n.Name)
		}
	}
	return g.each(func(cure string, names []string) Finding {
		return Finding{ID: "CNI006", Severity: Error, Evidence: "the kubelet says that no network is configured", Cure: cure,
			What: fmt.Sprintf("the container runtime of %s has not seen the network's configuration, although the agent is ready", nodes(names))}
	})
}

const (
	restartAgent = "the agent wrote its file when it started, and it is gone: have the agent of that node start again (kubectl delete pod)"
	restartWatch = "restart the container runtime there (running containers stay): systemctl restart containerd. It has lost its watch of " +
		"/etc/cni/net.d, which happens where the directory itself was removed"
)

// whyUnseen is the way out of a configuration that the runtime has not seen: the agent
// has to write it again, or the runtime to look again. Where the host was not looked
// at, it is either.
func (in Input) whyUnseen(node string) string {
	i := slices.IndexFunc(in.Hosts, func(h wire.HostNetwork) bool { return h.Node == node })
	switch {
	case i < 0:
		return "see whether the file is there (kubectl lifecycle cni status --look). If not: " + restartAgent + ". If it is: " + restartWatch
	case len(in.Hosts[i].Configs) == 0 && !in.Hosts[i].NoConfDir:
		return restartAgent
	}
	return restartWatch
}

// OfMessage finds the pitfall of what a kubelet says of a pod for which it could make
// no network.
func OfMessage(message string) (id, cure string, found bool) {
	if p, is := known(message); is {
		return p.id, p.cure, true
	}
	if noConfig(message) {
		return "CNI006", "see whether the network's file is in /etc/cni/net.d of that host (kubectl lifecycle cni status --look). If not: " +
			restartAgent + ". If it is: " + restartWatch, true
	}
	return "", "", false
}

// pattern is a known last word of an agent that crashes, or of a kubelet that could
// make no network for a pod.
type pattern struct {
	id    string
	words *regexp.Regexp
	what  string
	cure  string
}

// patterns are in the order in which they are tried.
func patterns() []pattern {
	return []pattern{
		{"CNI008", regexp.MustCompile(`br_netfilter|bridge-nf-call-iptables`), "br_netfilter is missing",
			"on the host: modprobe br_netfilter, and for later starts: echo br_netfilter >/etc/modules-load.d/k8s.conf"},
		{"CNI008", regexp.MustCompile(`failed to find plugin "(bridge|host-local|loopback|portmap|ptp|vlan|bandwidth|tuning|firewall)"`),
			"a reference plugin is missing in the runtime's directory of plugins",
			"install containernetworking-plugins (Debian puts them in /usr/lib/cni: set bin_dirs of the runtime, or copy them to /opt/cni/bin)"},
		{"CNI007", regexp.MustCompile(`failed to find plugin`), "the runtime does not find a plugin where it looks",
			"compare the path in the message with where the agent has put it (/opt/cni/bin); the runtime's configuration names its bin_dirs"},
		{"CNI001", regexp.MustCompile(`pod cidr not assigned|PodCIDR not (assigned|available)|no pod cidr`), "the node has no pod CIDR",
			"kube-controller-manager gives them out: --allocate-node-cidrs=true --cluster-cidr=RANGE"},
		{"CNI024", regexp.MustCompile(`no matches for kind|the server could not find the requested resource`), "a custom resource's " +
			"definition is missing", "apply the network's own chart of definitions first (Calico from 3.32: crd.projectcalico.org.v1)"},
		{"CNI023", regexp.MustCompile(`(?i)permission denied.*(/opt/cni/bin|/host/opt|cni-bin|/hostbin)|` +
			`(/opt/cni/bin|/host/opt|cni-bin|/hostbin).*permission denied|mount-cgroup.*[Pp]ermission denied`),
			"an agent may not write into /opt/cni/bin",
			"on the host: chown root:root /opt/cni/bin; chmod 755 /opt/cni/bin; no noexec on its file system"},
		{"CNI026", regexp.MustCompile(`openvswitch|ovs-vswitchd|ovsdb`), "Open vSwitch does not start",
			"on the host: modprobe openvswitch; a kernel without it cannot run this network"},
		{"CNI005", regexp.MustCompile(`/run/flannel/subnet\.env|dial unix .*(cilium|antrea|kube-ovn|multus)\S*\.sock`),
			"the runtime asks a network whose agent is not there",
			"look for files in /etc/cni/net.d that sort before the network's own: kubectl lifecycle cni status --look"},
	}
}

// known finds the pattern of a message.
func known(message string) (pattern, bool) {
	i := slices.IndexFunc(patterns(), func(p pattern) bool { return p.words.MatchString(message) })
	if i < 0 {
		return pattern{}, false
	}
	return patterns()[i], true
}

// crashes finds pitfalls in the last words of agents that crash, or that wait.
func crashes(in Input) []Finding {
	var out []Finding
	for _, agents := range in.Pods.Agents {
		g := grouper{}
		by, evidence := map[string]pattern{}, map[string]string{}
		for _, pod := range agents {
			state := health.AgentOf(pod)
			words := state.Why + " " + in.Words[pod.Namespace+"/"+pod.Name]
			if p, is := known(words); is && !state.Ready {
				g.add(p.id+p.what, health.NodeOf(pod))
				by[p.id+p.what], evidence[p.id+p.what] = p, "pod "+pod.Namespace+"/"+pod.Name+": "+text.Brief(words)
			}
		}
		out = append(out, g.each(func(key string, names []string) Finding {
			return Finding{ID: by[key].id, Severity: Error, What: fmt.Sprintf("the agent of %s does not run: %s", nodes(names), by[key].what),
				Evidence: evidence[key], Cure: by[key].cure}
		})...)
	}
	return out
}

// unpulled is CNI012: the image of an agent cannot be pulled.
func unpulled(in Input) []Finding {
	var g grouper
	for _, agents := range in.Pods.Agents {
		for _, pod := range agents {
			if state := health.AgentOf(pod); state.Unpulled != "" {
				g.add(state.Why, health.NodeOf(pod))
			}
		}
	}
	return g.each(func(why string, names []string) Finding {
		return Finding{ID: "CNI012", Severity: Error, What: fmt.Sprintf("the agent of %s cannot be started: %s", nodes(names), why),
			Evidence: "the kubelet's report",
			Cure: "let the nodes reach that registry, import the image on them, or name another place for it in the values of the chart " +
				"(kubectl lifecycle cni install NAME --set …)"}
	})
}

// unschedulable is CNI013: a pod beside the agents finds no node, as the second of
// two operators that may not share one.
func unschedulable(in Input) []Finding {
	var out []Finding
	if w := in.Wanted; w.OperatorReplicas > len(in.linux()) && len(in.linux()) > 0 {
		out = append(out, Finding{ID: "CNI013", Severity: Warning, Evidence: "the values of the chart",
			What: fmt.Sprintf("%s's operator is to have %d pods, which may not share a node, on %d", w.CNI, w.OperatorReplicas, len(in.linux())),
			Cure: "--set operator.replicas=1"})
	}
	for _, pod := range in.Pods.Waiting {
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && in.ofNetwork(pod) {
				out = append(out, Finding{ID: "CNI013", Severity: Warning, What: fmt.Sprintf("pod %s/%s finds no node", pod.Namespace, pod.Name),
					Evidence: text.Brief(c.Message), Cure: "one node is enough for a network's operator: operator.replicas=1, or its like in the chart"})
			}
		}
	}
	return out
}

// ofNetwork says whether a pod in the agents' namespace is the network's, by its
// name: in kube-system there are others.
func (in Input) ofNetwork(pod *corev1.Pod) bool {
	for _, n := range in.Networks {
		if strings.HasPrefix(pod.Name, n.CNI+"-") || pod.Namespace == n.Namespace && n.Namespace != "kube-system" {
			return true
		}
	}
	return false
}

// missingSecrets is CNI027: agents are to be pulled with Secrets that are not there
// (flannel#1842).
func missingSecrets(in Input) []Finding {
	if len(in.MissingSecrets) == 0 {
		return nil
	}
	return []Finding{{ID: "CNI027", Severity: Warning, Evidence: "imagePullSecrets of the agents' DaemonSet",
		What: fmt.Sprintf("the network's images are to be pulled with %s, and there is no such Secret", text.Some(in.MissingSecrets)),
		Cure: "make it in that namespace: kubectl -n NAMESPACE create secret docker-registry NAME …"}}
}

// failedSandboxes finds pitfalls in what kubelets say of pods that got no network.
func failedSandboxes(in Input) []Finding {
	var g grouper
	by, evidence := map[string]pattern{}, map[string]string{}
	for _, s := range in.Sandboxes {
		p, is := known(s.Message)
		if p.id == "CNI005" && in.notYet(s.Node, s.At) {
			continue // the network's own agent was not there yet
		}
		if is && !slices.Contains(g.nodes[p.id+p.what], s.Node) {
			g.add(p.id+p.what, s.Node)
			by[p.id+p.what], evidence[p.id+p.what] = p, "pod "+s.Pod+": "+text.Brief(s.Message)
		}
	}
	return g.each(func(key string, names []string) Finding {
		return Finding{ID: by[key].id, Severity: Error, What: fmt.Sprintf("pods on %s get no network: %s", nodes(names), by[key].what),
			Evidence: evidence[key], Cure: by[key].cure}
	})
}
