// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/upgradeplan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Explanations are all that can be explained, by id: those of doctor, of an upgrade, and the
// network's.
func Explanations() []finding.Explanation {
	all := slices.Concat(aboutNodes(), aboutPlane(), aboutOthers(), aboutRuns(), upgradeplan.Explanations(), finding.Explanations())
	slices.SortFunc(all, func(a, b finding.Explanation) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Explain returns the explanation of an id; the error for one that is not known is of
// class Misused.
func Explain(id string) (finding.Explanation, error) {
	all := Explanations()
	i := slices.IndexFunc(all, func(e finding.Explanation) bool { return strings.EqualFold(e.ID, id) })
	if i < 0 {
		return finding.Explanation{}, plan.As(plan.Misused, plan.Hint(errors.New("there is no finding with the id "+id),
			"list them: kubectl lifecycle explain"))
	}
	return all[i], nil
}

func aboutNodes() []finding.Explanation {
	return []finding.Explanation{
		{ID: "NODE001", Title: "A kubelet has stopped reporting",
			Cause: "The kubelet has not reported for 40 seconds, and the controller manager has set Ready to Unknown: the host is off, " +
				"its network or the way to the API server is cut, the kubelet or its runtime has stopped, or its certificate has expired. " +
				"Its pods may still run.",
			See: []string{"kubectl describe node NODE", "kubectl -n kube-node-lease get lease NODE", "on the host: systemctl status " +
				"kubelet containerd",
				"on the host: journalctl -u kubelet -n 50"},
			Cure: "Bring the kubelet back; it is Ready within seconds. If the host is lost for good: kubectl lifecycle remove NODE " +
				"--node-lost.",
			Sources: []string{"https://kubernetes.io/docs/concepts/architecture/nodes/#node-status", "kubernetes/kubeadm#2054"}},
		{ID: "NODE002", Title: "A kubelet says that it is not Ready",
			Cause: "The kubelet reports, and says why it takes no pods: the runtime has no network (\"cni plugin not initialized\"), the " +
				"runtime does not answer, or its pods are not listed in time (PLEG).",
			See: []string{"kubectl describe node NODE", "kubectl lifecycle cni status --look"},
			Cure: "Where it is the network: kubectl lifecycle cni status names what is missing. Else see the runtime on the host: " +
				"systemctl status containerd.",
			Sources: []string{"kubernetes/kubernetes#107127", "containerd/containerd#4581"}},
		{ID: "NODE003", Title: "A node runs out of memory, disk or processes, or has no route",
			Cause: "The kubelet evicts pods to help itself, and the scheduler sends none there. NetworkUnavailable is set by a network " +
				"or a cloud, and only they take it back.",
			See: []string{"kubectl describe node NODE"}, Cure: "Free what is short on the host: images, logs, pods without limits.",
			Sources: []string{"https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/"}},
		{ID: "NODE004", Title: "All nodes are control planes that take no pods",
			Cause: "kubeadm taints each control plane with NoSchedule. In a cluster of one machine, pods then stay Pending for ever.",
			See:   []string{"kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints[*].key"},
			Cure: "Join a worker, or take the taint off with a minus at its end: kubectl taint node NODE " +
				"node-role.kubernetes.io/control-plane:NoSchedule-.",
			Sources: []string{"https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/create-cluster-kubeadm/"}},
		{ID: "NODE005", Title: "A node is unschedulable, and no note says why",
			Cause: "kubectl cordon, kubectl drain or another tool did it, and may need it still. kubectl lifecycle leaves a note when " +
				"it cordons.",
			See: []string{"kubectl get node NODE -o yaml --show-managed-fields"}, Cure: "When the work there is done: kubectl uncordon NODE.",
			Sources: []string{"https://kubernetes.io/docs/concepts/architecture/nodes/#manual-node-administration"}},
		{ID: "SKEW001", Title: "A kubelet is newer than the API server",
			Cause: "Packages of a host were upgraded before the control plane, or a host joined with newer ones. The kubelet may ask " +
				"for what the API server does not have.",
			See: []string{"kubectl get nodes", "kubectl version"},
			Cure: "Upgrade the control plane first, one minor at a time (kubeadm upgrade plan), or install the control plane's " +
				"version on the host.",
			Sources: []string{"https://kubernetes.io/releases/version-skew-policy/"}},
		{ID: "SKEW002", Title: "A kubelet is too old for the API server",
			Cause:   "A kubelet may be three minors behind the API server at most (since Kubernetes 1.28).",
			See:     []string{"kubectl get nodes", "kubectl version"},
			Cure:    "Upgrade it minor by minor, drained: kubectl lifecycle drain NODE, then kubeadm upgrade node and the kubelet on the host.",
			Sources: []string{"https://kubernetes.io/releases/version-skew-policy/"}},
	}
}

func aboutPlane() []finding.Explanation {
	return []finding.Explanation{
		{ID: "API001", Title: "A component of the control plane is not ready",
			Cause: "Its static pod crashes, or its probe fails: a flag that its version does not know, a certificate that has expired, a disk " +
				"that is full or slow, or, for all others, etcd that does not answer.",
			See:     []string{"kubectl -n kube-system get pods -l tier=control-plane -o wide", "on the host: crictl ps -a, crictl logs ID"},
			Cure:    "Fix what its log says; the kubelet starts it again. A manifest that was edited: undo it in /etc/kubernetes/manifests.",
			Sources: []string{"kubernetes/kubeadm#2567"}},
		{ID: "API002", Title: "A control plane lacks a component",
			Cause: "The manifest was moved away or cannot be read, or its kubelet does not start it.",
			See:   []string{"on the host: ls -l /etc/kubernetes/manifests", "on the host: journalctl -u kubelet -n 50"},
			Cure: "Put the manifest back, or write it again: kubeadm init phase control-plane COMPONENT (for etcd: kubeadm init " +
				"phase etcd local).",
			Sources: []string{"https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/"}},
		{ID: "API003", Title: "No controller manager or no scheduler is active",
			Cause: "The lease by which one of them leads is not renewed: all are down, or cannot reach an API server. Pods are not " +
				"made, or not placed.",
			See:     []string{"kubectl -n kube-system get leases", "kubectl -n kube-system get pods -l tier=control-plane"},
			Cure:    "See their logs: kubectl -n kube-system logs -l component=kube-controller-manager.",
			Sources: []string{"https://kubernetes.io/docs/concepts/architecture/leases/"}},
		{ID: "API004", Title: "An API server is not ready",
			Cause: "Its own checks fail, most often etcd's. Behind an endpoint others may still answer.",
			See:   []string{"kubectl get --raw '/readyz?verbose'"}, Cure: "Fix what the failed check names.",
			Sources: []string{"https://kubernetes.io/docs/reference/using-api/health-checks/"}},
		{ID: "ETCD001", Title: "A member of etcd is down",
			Cause: "etcd needs more than half of its members. With one of three down, the cluster stops when the next one fails. The API " +
				"tells of etcd's pods only; members that have no pod are not seen.",
			See: []string{"kubectl -n kube-system get pods -l component=etcd -o wide"},
			Cure: "Bring the member back before anything else is done to a control plane. If its host is lost: kubectl lifecycle " +
				"remove NODE --node-lost, " +
				"which takes the dead member out, too.",
			Sources: []string{"https://etcd.io/docs/v3.6/faq/#what-is-failure-tolerance"}},
		{ID: "ETCD002", Title: "etcd has two members",
			Cause:   "More than half of two is two: each of them is a single point of failure, and there are two of them.",
			See:     []string{"kubectl -n kube-system get pods -l component=etcd -o wide"},
			Cure:    "Add a third control plane (kubectl lifecycle join --control-plane), or remove one.",
			Sources: []string{"https://etcd.io/docs/v3.6/faq/#why-an-odd-number-of-cluster-members"}},
	}
}

func aboutOthers() []finding.Explanation {
	check := []string{"kubectl lifecycle certs check -o wide", "kubectl lifecycle certs check --deep"}
	return []finding.Explanation{
		{ID: "NET001", Title: "There is no pod network",
			Cause: "kubeadm installs none. Nodes stay NotReady, CoreDNS stays Pending: both are expected until there is one.",
			See:   []string{"kubectl lifecycle cni status"}, Cure: "kubectl lifecycle cni list, then kubectl lifecycle cni install NAME.",
			Sources: []string{"https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/create-cluster-kubeadm/#pod-network"}},
		{ID: "DNS001", Title: "There is no CoreDNS", Cause: "Its Deployment was deleted, or kubeadm init ended before its addons.",
			See: []string{"kubectl -n kube-system get deployments,services"}, Cure: "On a control plane: kubeadm init phase addon coredns.",
			Sources: []string{"https://kubernetes.io/docs/tasks/administer-cluster/coredns/"}},
		{ID: "CERT001", Title: "A certificate has expired",
			Cause:   "kubeadm's certificates last a year, and are renewed by upgrades only. A component that presents it is refused.",
			See:     check,
			Cure:    "kubectl lifecycle certs renew all. A kubelet's own: see docs/certs.md.",
			Sources: []string{"kubernetes/kubeadm#2054", "kubernetes/website#28312"}},
		{ID: "CERT002", Title: "A certificate expires soon", Cause: "It expires within 30 days; within 7 days it is critical.", See: check,
			Cure: "kubectl lifecycle certs renew all, which restarts one component after another.", Sources: []string{"kubernetes/kubeadm#2306"}},
		{ID: "CERT003", Title: "A certificate is wrong",
			Cause: "It is not signed by its authority, cannot be read, is missing, or a component still uses an earlier one: it was not " +
				"restarted after a renewal.",
			See: check, Cure: "See the evidence. A stale one needs its component restarted, which kubectl lifecycle certs renew does.",
			Sources: []string{"kubernetes/website#28944", "kubernetes/kubeadm#1826"}},
		{ID: "CERT004", Title: "A kubelet's request for a certificate waits, or was denied",
			Cause:   "Kubelets with serverTLSBootstrap ask for a serving certificate, and no controller of Kubernetes approves that.",
			See:     []string{"kubectl get certificatesigningrequests"},
			Cure:    "kubectl lifecycle certs approve, which approves what is the node's own.",
			Sources: []string{"kubernetes/kubernetes#73356"}},
		{ID: "TOKEN001", Title: "A bootstrap token cannot be used",
			Cause: "It has expired, or lacks what kubeadm join needs. The controller manager deletes expired tokens; if one " +
				"stays, it does not do so.",
			See: []string{"kubectl lifecycle join list"}, Cure: "kubectl lifecycle join revoke ID.",
			Sources: []string{"https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/"}},
		{ID: "TOKEN002", Title: "A bootstrap token never expires",
			Cause: "It was made with --ttl 0. Anyone who has it, for example from an old script, can join a host, and a host gets the " +
				"Secrets of its pods.",
			See:     []string{"kubectl lifecycle join list"},
			Cure:    "kubectl lifecycle join revoke ID --yes; a token is made for each join: kubectl lifecycle join.",
			Sources: []string{"https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/"}},
	}
}

func aboutRuns() []finding.Explanation {
	runs, source := []string{"kubectl lifecycle runs"}, []string{"docs/runner.md"}
	return []finding.Explanation{
		{ID: "RUN001", Title: "A run waits for you",
			Cause: "A step has failed on the host, and the program there waits for an order; without one it aborts the run after --patience.",
			See:   runs, Cure: "Remove the cause and run the same command again; or kubectl lifecycle runs abort NODE.", Sources: source},
		{ID: "RUN002", Title: "A node is held by a run",
			Cause: "A command works on the node, or was interrupted: its record is the lock.",
			See:   runs,
			Cure:  "kubectl lifecycle runs follow NODE; if it was interrupted, run the command again, or abort it.", Sources: source},
		{ID: "RUN003", Title: "A record of a run cannot be relied on",
			Cause: "It was written by another version, by hand, or by a host that is not to be trusted.",
			See:   runs, Cure: "Look at the Secret; if no run is under way, delete it.", Sources: source},
		{ID: "RUN004", Title: "A pod of an interrupted command is still there",
			Cause: "Pods that ask a host something are deleted after the answer. A command that was killed could not.",
			See:   []string{"kubectl get pods -A -l lifecycle.kubectl.io/runner"}, Cure: "Delete it; nothing depends on it.", Sources: source},
		{ID: "RUN005", Title: "A node is still cordoned by this tool",
			Cause:   "kubectl lifecycle cordon or drain made the node unschedulable, as it was told to.",
			See:     []string{"kubectl get nodes"},
			Cure:    "When the work there is done: kubectl lifecycle uncordon NODE.",
			Sources: []string{"docs/drain.md"}},
		{ID: "RUN006", Title: "The control planes are locked",
			Cause: "A command works on them one after another, and only one may. One that was killed leaves the lock; the next one " +
				"takes it over.",
			See:     []string{"kubectl -n kube-system get secret lifecycle.control-planes -o yaml"},
			Cure:    "Wait for its end, or run it again.",
			Sources: []string{"docs/controlplanes.md"}},
		{ID: "RUN007", Title: "A switch of networks has not ended",
			Cause:   "kubectl lifecycle cni switch was interrupted. A ConfigMap records how far it is.",
			See:     []string{"kubectl -n kube-system get configmap lifecycle-network-switch -o yaml"},
			Cure:    "Run the same command again; it continues.",
			Sources: []string{"docs/adr/0012-a-network-is-switched-at-once.md"}},
	}
}
