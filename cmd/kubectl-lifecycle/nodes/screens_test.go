// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/screentest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostcommand"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

var update = flag.Bool("update", false, "write the golden files of screens")

// TestScreensOfNodes has what each command about nodes shows.
func TestScreensOfNodes(t *testing.T) {
	screentest.Compare(t, *update, slices.Concat(cordonScreens(), drainScreens(), removeScreens(), severalScreens(), lostScreens(),
		moveScreens(), inspectScreens(), runsScreens(), runScreens()))
}

// line is the screen of a command line.
func line(name string, with func(*testing.T, *env.Env), args ...string) screentest.Screen {
	return screentest.Family(Commands).Line(name, with, args...)
}

// cordoned is a node that a drain has cordoned.
func cordoned(n *corev1.Node) {
	n.Spec.Unschedulable = true
	n.Annotations = map[string]string{drain.NoteAnnotation: `{"by":"bob@desk","at":"2026-03-04T04:00:00Z","reason":"new disks","drain":true}`}
}

// removing is the record of a removal in some phase.
func removing(node string, phase wire.Phase, set ...func(*corev1.Secret)) change {
	set = append(set, flowtest.With(wire.KeyWho, "bob@desk"), flowtest.With(wire.KeySince, "2026-03-04T04:30:00Z"))
	return and(flowtest.Record(node, wire.Remove, phase, set...))
}

func cordonScreens() []screentest.Screen {
	return []screentest.Screen{
		line("cordon", shop(), "cordon", "worker-2", "worker-3", "--reason", "new disks"),
		line("cordon-again-dry-run", shop(instead("worker-3", cordoned)), "cordon", "worker-3", "--dry-run"),
		line("cordon-no-such-node", shop(), "cordon", "worker-9"),
		line("cordon-no-name", shop(), "cordon"),
		line("uncordon-while-removed", shop(instead("worker-3", cordoned), removing("worker-3", wire.Working)), "uncordon", "worker-3"),
	}
}

func drainScreens() []screentest.Screen {
	toolbox, report := shopPod("toolbox", "", "worker-3"), shopPod("report-x8s2d", "Job/report", "worker-3")
	report.Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	giteas := screentest.On(func(t *testing.T) kubernetes.Interface { t.Helper(); return newDrainBed(gitea()...).Clientset })
	return []screentest.Screen{
		line("drain", shop(), "drain", "worker-3", "--ignore-daemonsets"),
		line("drain-nothing-to-do", shop(instead("worker-2", cordoned), without("pods", "shop", "db-2")), "drain", "worker-2"),
		line("drain-several", shop(), "drain", "worker-1", "worker-3", "--ignore-daemonsets", "--max-parallel", "2"),
		line("drain-timed-out", shop(closed(0)), "drain", "worker-3", "--ignore-daemonsets", "--timeout", "1m"),
		line("drain-dry-run", shop(), "drain", "worker-3", "--ignore-daemonsets", "--dry-run"),
		line("drain-dry-run-server", shop(closed(0)), "drain", "worker-3", "--ignore-daemonsets", "--dry-run=server"),
		line("drain-refused", shop(and(toolbox, report)), "drain", "worker-3"),
		line("drain-dry-run-refused", shop(and(toolbox, report)), "drain", "worker-3", "--dry-run"),
		line("drain-no-such-node", shop(), "drain", "worker-9"),
		line("drain-plan", shop(), "drain", "worker-3", "--ignore-daemonsets", "--plan"),
		line("drain-plan-blocked", giteas, "drain", "w1", "--ignore-daemonsets", "--plan"),
		line("drain-abort", shop(instead("worker-3", cordoned)), "drain", "worker-3", "worker-1", "--abort"),
	}
}

func inspectScreens() []screentest.Screen {
	show := func(name string, wide bool) screentest.Screen {
		return screentest.Screen{Name: name, Show: screentest.Still(func(_ *testing.T, e *env.Env) error {
			return view.Inventory(e.Sheet(), aHost(), wide)
		})}
	}
	return []screentest.Screen{
		show("inspect", false), show("inspect-wide", true),
		line("inspect-silent", shop(instead("worker-3", screentest.Silent)), "inspect", "worker-3"),
		line("inspect-no-such-node", shop(), "inspect", "worker-9"),
	}
}

// aHost is what is on the host of a worker with flannel.
func aHost() inventory.Inventory {
	const goes, stays = inventory.Goes, inventory.Stays
	return inventory.Inventory{Hostname: "worker-3", Items: []inventory.Item{
		{Kind: inventory.KindUnit, Name: "kubelet.service", Detail: "active, enabled", Owner: inventory.Kubelet, Fate: goes},
		{Kind: inventory.KindSandbox, Name: "kube-system/kube-proxy-x7k2p", Owner: inventory.Runtime, Fate: goes},
		{Kind: inventory.KindMount, Name: "/var/lib/kubelet/pods/6f0e7a8e-5b1d-4c39-9a41-5c0e2f1d7b66/volumes/kubernetes.io~projected/" +
			"kube-api-access-zj4k8", Detail: "tmpfs", Owner: inventory.Kubelet, Fate: goes},
		{Kind: inventory.KindLink, Name: "cni0", Detail: "bridge 10.244.3.1/24", Owner: inventory.Flannel, Fate: goes},
		{Kind: inventory.KindLink, Name: "docker0", Detail: "bridge 172.17.0.1/16", Owner: inventory.Foreign, Fate: stays,
			Why: "no network of this cluster has made it"},
		{Kind: inventory.KindChain, Name: "KUBE-SERVICES", In: "nft ip nat", Owner: inventory.KubeProxy, Fate: goes},
		{Kind: inventory.KindFilter, Name: "-A INPUT -s 10.244.0.0/16 -j ACCEPT", In: "nft ip filter", Owner: inventory.Foreign, Fate: stays,
			Why: "not provably Kubernetes'", Refers: "it names the pods' network 10.244.0.0/16"},
		{Kind: inventory.KindFile, Name: "/etc/kubernetes/kubelet.conf", Owner: inventory.Kubeadm, Fate: goes},
		{Kind: inventory.KindFile, Name: "/root/.kube/config", Owner: inventory.Foreign, Fate: stays, Why: "a person's",
			Refers: "a kubeconfig of this cluster"},
	}, Unchecked: []inventory.Unchecked{{Kind: inventory.KindIPSet, What: "ip sets", Why: "ipset: not found"}}}
}

func runsScreens() []screentest.Screen {
	waits := removing("worker-3", wire.Waiting, flowtest.With(wire.KeyError,
		"unmount what is mounted for pods: /var/lib/kubelet/pods/6f0e7a8e/volumes/data: device or resource busy"))
	return []screentest.Screen{
		line("runs", shop(waits, removing("worker-2", wire.Working)), "runs"),
		line("runs-none", shop(), "runs"),
		line("runs-damaged", shop(removing("worker-3", "dancing")), "runs"),
		line("runs-follow-waiting", shop(waits), "runs", "follow", "worker-3"),
		line("runs-follow-none", shop(), "runs", "follow", "worker-3"),
		line("runs-abort-none", shop(), "runs", "abort", "worker-3"),
		line("runs-abort-too-late", shop(removing("worker-3", wire.Finished)), "runs", "abort", "worker-3"),
		line("runs-abort", shop(instead("worker-3", cordoned), returns, removing("worker-3", wire.Preparing,
			flowtest.With(wire.KeyCordoned, "true"))),
			"runs", "abort", "worker-3"),
		line("node-program", nil, "node-program", "--arch", "riscv64"),
	}
}

// returns has the kubelet of worker-3 report again after some seconds.
func returns(_ *testing.T, client *fake.Clientset) {
	go func() {
		time.Sleep(8 * time.Second)
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: "worker-3"},
			Spec: coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: time.Now()}}}
		_ = client.Tracker().Create(coordinationv1.SchemeGroupVersion.WithResource("leases"), lease, lease.Namespace)
	}()
}

func runScreens() []screentest.Screen {
	zero, two := 0, 2
	results := []hostcommand.Result{
		{Node: "worker-1", State: hostcommand.Succeeded, ExitCode: &zero, Output: "Reading package lists...\n0 upgraded\n", Seconds: 41.3},
		{Node: "worker-2", State: hostcommand.Failed, ExitCode: &two, Output: "E: Could not get lock /var/lib/dpkg/lock-frontend\n", Seconds: 12,
			Cordoned: true, Error: "run the command on worker-2: node worker-2: the command ended with exit code 2",
			Hint: "look at the host, then run the command again there; nodes that are done need not be named\n" +
				"the node is still cordoned; to uncordon it: kubectl lifecycle uncordon worker-2"},
		{Node: "worker-3", State: hostcommand.NotBegun},
	}
	tell := func(name string, results ...hostcommand.Result) screentest.Screen {
		return screentest.Screen{Name: name, Show: screentest.Still(func(t *testing.T, e *env.Env) error {
			t.Helper()
			c, sheet := commands{e}, e.Sheet()
			progress := c.Progress()
			for _, r := range results {
				if r.State == hostcommand.NotBegun {
					continue
				}
				acts := map[string]screentest.Act{"drain": {Takes: 9 * time.Second},
					"command": {Takes: time.Duration(r.Seconds * float64(time.Second))}}
				if r.Error != "" {
					acts["command"] = screentest.Act{Takes: 2 * time.Second, Err: fmt.Errorf("node %s: the command ended with exit code 2", r.Node)}
				}
				_, _ = screentest.Played(plan.Plan{Steps: []plan.Step{{ID: "cordon", Title: "Cordon node " + r.Node},
					{ID: "drain", Title: "Evict 2 pods from node " + r.Node},
					{ID: "command", Title: "Run the command on " + r.Node}}}, acts).Run(t.Context(), progress) // it is told below
				showOutput(sheet, r, len(results) > 1)
			}
			progress.Close()
			if err := c.tellRun(results, ""); err != nil {
				return err
			}
			return runFailed(t.Context(), results)
		})}
	}
	return []screentest.Screen{
		line("run-dry-run", shop(), "run", "worker-1", "worker-2", "worker-3", "--max-parallel", "2", "--dry-run", "--", "sh", "-c",
			"apt-get -y upgrade && systemctl restart kubelet"),
		line("run-refused", shop(instead("worker-3", screentest.Silent)), "run", "worker-3", "--", "uptime"),
		line("run-no-command", shop(), "run", "worker-3"),
		tell("run", results[0]), tell("run-failed", results...),
	}
}
