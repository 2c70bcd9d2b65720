// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/screentest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/lost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// host is a step of a removal on its host, whose titles take half a second each.
func host(watch func() plan.Observer, err error, titles ...string) screentest.Act {
	return screentest.Act{Err: err, Do: func() { screentest.OnHost(watch(), "worker-3", 500*time.Millisecond, titles...) }}
}

// workOnHost is what the program on a worker's host does.
func workOnHost() []string {
	return []string{"Look for what may not be deleted", "-Take this host's member out of the etcd cluster", "Stop and hold the kubelet",
		"Stop and remove the pods' containers", "Unmount what is mounted for pods", "Delete the pod network's links",
		"Delete Kubernetes' packet-filter rules", "Back up the configuration that goes", "Remove Kubernetes' and the network's files",
		"Delete the node's credentials", "Look at the host again and compare"}
}

// canary is the begin of the work on a host.
func canary() screentest.Act {
	return screentest.Act{Takes: 4 * time.Second, Says: []string{
		"starting pod kube-system/lifecycle-worker-3 (image registry.k8s.io/kube-proxy:v1.36.3, kube-proxy's; nothing is pulled)",
		"handing the program to the host", "waiting for the program's first word from the host"}}
}

// removal is the screen of a removal that is under way, and comes to its end.
func removal(name string, verdict inventory.Verdict, failure error, titles []string, left ...departure.Lingering) screentest.Screen {
	return screentest.Screen{Name: name, Show: screentest.Still(func(t *testing.T, e *env.Env) error {
		t.Helper()
		shop()(t, e)
		c, f := commands{e}, defaultLeave()
		cluster, err := c.Cluster(f.RunnerFlags)
		if err != nil {
			return err
		}
		r, err := flow.PrepareRemove(t.Context(), cluster, "worker-3", f.options())
		if err != nil {
			return err
		}
		c.ShowPlan(r.Plan(), care(r))
		r.Verdict, r.Lingering = verdict, left
		p := screentest.Played(r.Plan(), map[string]screentest.Act{"canary": canary(), "drain": {Takes: 11200 * time.Millisecond, Says: []string{
			"waiting for 2 pods to leave: shop/db-1, shop/web-7d4b9c6f5d-4xkzq"}},
			"host": host(func() plan.Observer { return r.Watch }, failure, titles...)})
		if err := c.runRemoval(t.Context(), r, p); err != nil {
			return err
		}
		return errors.Join(c.tellRemoved(r, ""), departure.StillThere(r.Lingering))
	})}
}

func removeScreens() []screentest.Screen {
	toolbox := shopPod("toolbox", "", "worker-3")
	clean := inventory.Verdict{State: inventory.Clean, Backup: "/var/backups/kubectl-lifecycle/20260304T050607Z"}
	but := clean
	but.State = inventory.CleanBut
	but.But = []inventory.Item{
		{Kind: inventory.KindFile, Name: "/root/.kube/config", Refers: "a kubeconfig of this cluster", Why: "a person's"},
		{Kind: inventory.KindDir, Name: "/mnt/nfs", Refers: inventory.NotLookedAt + "it is mounted from a server that does not answer"}}
	but.Personal = []inventory.Item{{Kind: inventory.KindFile, Name: "/etc/cni/net.d/05-mine.conflist", Personal: "no network has made it"}}
	but.Flags = []inventory.Item{{Kind: inventory.KindFlags, Name: "/etc/default/kubelet",
		Detail: "--node-ip=192.0.2.3 --cluster-dns=10.96.0.10"}}
	busy := plan.Hint(errors.New("the program on the host waits: unmount what is mounted for pods: umount "+
		"/var/lib/kubelet/pods/6f0e7a8e-5b1d-4c39-9a41-5c0e2f1d7b66/volumes/kubernetes.io~nfs/data: device or resource busy"),
		"remove the cause and run the same command again, or abort it: kubectl lifecycle runs abort worker-3")
	return []screentest.Screen{
		line("remove-dry-run", shop(), "remove", "worker-3", "--dry-run"),
		rehearsalScreen(),
		removal("remove", clean, nil, workOnHost()),
		removal("remove-clean-but", but, nil, workOnHost()),
		removal("remove-waits", clean, busy, append(workOnHost()[:4:4], "!Unmount what is mounted for pods")),
		removal("remove-pods-linger", clean, nil, workOnHost(), departure.Lingering{Namespace: "shop", Name: "web-7d4b9c6f5d-4xkzq",
			Owner: "ReplicaSet/web-7d4b9c6f5d", Finalizers: []string{"example.com/hold"}}),
		line("remove-not-confirmed", shop(), "remove", "worker-3"),
		line("remove-refused-pods", shop(and(toolbox)), "remove", "worker-3", "--yes"),
		line("remove-refused-data", shop(and(keepsData())), "remove", "worker-3", "--dry-run"),
		line("remove-refused-last-control-plane", shop(), "remove", "cp-1", "--yes"),
		line("remove-refused-k3s", shop(instead("worker-3", func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.36.3+k3s1" })),
			"remove", "worker-3", "--yes"),
		line("remove-refused-silent", shop(instead("worker-3", screentest.Silent)), "remove", "worker-3", "--yes"),
		line("remove-refused-held", shop(and(flowtest.Record("worker-3", wire.Move, wire.Working, flowtest.With(wire.KeyWho, "bob@desk")))),
			"remove", "worker-3", "--yes"),
		line("remove-no-such-node", shop(), "remove", "worker-9", "--yes"),
		line("remove-no-such-node-ignored", shop(), "remove", "worker-9", "--yes", "--ignore-not-found"),
		line("remove-no-name", shop(), "remove"),
		line("remove-firewall-unknown", shop(), "remove", "worker-3", "--firewall", "all"),
	}
}

// keepsData is a pod with data in a directory that a removal deletes.
func keepsData() *corev1.Pod {
	p := shopPod("registry-0", "StatefulSet/registry", "worker-3")
	p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		HostPath: &corev1.HostPathVolumeSource{Path: "/var/lib/cni/networks/registry"}}}}
	return p
}

// rehearsalScreen is that of a dry run which has looked at the host.
func rehearsalScreen() screentest.Screen {
	return screentest.Screen{Name: "remove-dry-run-server", Show: screentest.Still(func(t *testing.T, e *env.Env) error {
		t.Helper()
		shop()(t, e)
		c, f := commands{e}, defaultLeave()
		cluster, err := c.Cluster(f.RunnerFlags)
		if err != nil {
			return err
		}
		r, err := flow.PrepareRemove(t.Context(), cluster, "worker-3", f.options())
		if err != nil {
			return err
		}
		found := inventory.Decide(aHost())
		return c.showRehearsal(e.Sheet(), rehearsed{r, r.Plan(), env.DryRunServer, "removed"},
			rehearsal{Node: "worker-3", Warnings: care(r), Host: &found})
	})}
}

func severalScreens() []screentest.Screen {
	clean := inventory.Verdict{State: inventory.Clean}
	tell := func(name string, outcomes ...flow.NodeResult) screentest.Screen {
		return screentest.Screen{Name: name, Show: screentest.Still(func(t *testing.T, e *env.Env) error {
			t.Helper()
			return errors.Join(commands{e}.tellMany(outcomes, ""), failed(t.Context(), outcomes))
		})}
	}
	second := and(screentest.Node("cp-2"), clusterInfo())
	return []screentest.Screen{
		line("remove-several-plan", shop(), "remove", "worker-1", "worker-2", "worker-3", "--max-parallel", "2"),
		line("remove-several-dry-run", shop(), "remove", "worker-1", "worker-3", "worker-8", "--dry-run"),
		line("remove-several-refused", shop(and(shopPod("toolbox", "", "worker-3")), instead("worker-1", screentest.Silent)),
			"remove", "worker-1", "worker-2", "worker-3", "--yes"),
		line("remove-several-all-control-planes", shop(second), "remove", "cp-1", "cp-2", "--yes"),
		line("remove-several-none-matches", shop(), "remove", "-l", "rack=7", "--yes"),
		line("remove-several-lost", shop(), "remove", "worker-1", "worker-2", "--node-lost"),
		tell("remove-several", flow.NodeResult{Node: "worker-1", Removed: true, Verdict: clean, Seconds: 61.4},
			flow.NodeResult{Node: "worker-2", Removed: true, Verdict: inventory.Verdict{State: inventory.CleanAfterReboot}, Seconds: 58}),
		tell("remove-several-failed", flow.NodeResult{Node: "worker-1", Removed: true, Verdict: clean, Seconds: 61.4},
			flow.NodeResult{Node: "worker-2", Seconds: 312, Error: "clean the host of worker-2: the program on the host waits: " +
				"unmount what is mounted for pods: /var/lib/kubelet/pods/6f0e7a8e/volumes/kubernetes.io~nfs/data: device or resource busy",
				Hint: "remove the cause and run the same command again, or abort it: kubectl lifecycle runs abort worker-2"},
			flow.NodeResult{Node: "worker-3", Hint: "not begun, and still cordoned; to uncordon it: kubectl lifecycle uncordon worker-3"}),
	}
}

// says has kubelets be asked through an API server that answers so.
type says string

// RoundTrip answers.
func (s says) RoundTrip(r *http.Request) (*http.Response, error) {
	body := http.NoBody
	if !strings.Contains(r.URL.Path, "/proxy/") {
		return &http.Response{StatusCode: http.StatusOK, Body: body, Header: http.Header{}}, nil
	}
	return nil, errors.New(string(s))
}

func lostScreens() []screentest.Screen {
	silent := instead("worker-3", screentest.Silent)
	asked := func(answer string) func(*testing.T, *env.Env) {
		return func(t *testing.T, e *env.Env) {
			t.Helper()
			shop(silent)(t, e)
			e.Config = func() (*rest.Config, error) {
				return &rest.Config{Host: "https://api.example.com:6443", Transport: says(answer)}, nil
			}
		}
	}
	back := func(name string, reset bool) screentest.Screen {
		return screentest.Screen{Name: name, Show: screentest.Still(func(_ *testing.T, e *env.Env) error {
			l := &lost.NodeLoss{Node: screentest.Node("worker-3"), WithoutKubelet: reset, Facts: inventory.Facts{Node: "worker-3",
				PodCIDRs: []string{"10.244.0.0/16"}, ServiceCIDRs: []string{"10.96.0.0/12"}, NodeIPs: []string{"192.0.2.3"},
				ControlPlanes: []string{"192.0.2.11"}, CNI: "flannel", CRISocket: "unix:///run/containerd/containerd.sock"}}
			c := commands{e}
			c.sayIfItComesBack(l)
			return c.Sheet().Line("node/%s given up", "worker-3")
		})}
	}
	return []screentest.Screen{
		line("lost-refused", shop(), "remove", "worker-3", "--node-lost"),
		line("lost-unsure", asked("connection refused"), "remove", "worker-3", "--node-lost"),
		line("lost-dry-run", asked("connection refused"), "remove", "worker-3", "--node-lost", "--confirm-host-off", "--dry-run"),
		line("lost-dry-run-server", shop(silent), "remove", "worker-3", "--node-lost", "--dry-run=server"),
		back("lost", false), back("lost-reset", true),
	}
}

// moving is a move to another cluster, which is prepared.
func moving(t *testing.T, e *env.Env) (commands, *flow.Move, error) {
	t.Helper()
	shop()(t, e)
	c, f := commands{e}, defaultLeave()
	cluster, err := c.Cluster(f.RunnerFlags)
	if err != nil {
		return c, nil, err
	}
	objects := []runtime.Object{clusterInfo()}
	for _, o := range screentest.Kubeadm() {
		if space, is := o.(*corev1.Namespace); is {
			space.UID = "uid-of-another-cluster"
		}
		objects = append(objects, o)
	}
	there := flowtest.Permissive(t, nil, objects...)
	screentest.Reviewed(there)
	to := flow.Destination{Name: "staging", Client: there}
	m, err := flow.PrepareMove(t.Context(), cluster, to, "worker-3", f.options())
	return c, m, err
}

func clusterInfo() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "cluster-info"},
		Data: map[string]string{"kubeconfig": screentest.ClusterInfo()}}
}

func moveScreens() []screentest.Screen {
	move := func(name string, acts func(m *flow.Move) map[string]screentest.Act) screentest.Screen {
		return screentest.Screen{Name: name, Show: screentest.Still(func(t *testing.T, e *env.Env) error {
			t.Helper()
			c, m, err := moving(t, e)
			if err != nil {
				return env.NothingChanged(err)
			}
			if acts == nil {
				return c.rehearse(t.Context(), "", false, rehearsed{m.Removal, m.Plan(), env.DryRunClient, "moved to staging"})
			}
			c.ShowPlan(m.Plan(), care(m.Removal))
			m.Verdict = inventory.Verdict{State: inventory.Clean, Backup: "/var/backups/kubectl-lifecycle/20260304T050607Z"}
			if err := c.runRemoval(t.Context(), m.Removal, screentest.Played(m.Plan(), acts(m))); err != nil {
				return err
			}
			return c.tellMoved(m, "staging", "")
		})}
	}
	acts := func(failure error) func(m *flow.Move) map[string]screentest.Act {
		return func(m *flow.Move) map[string]screentest.Act {
			return map[string]screentest.Act{"canary": canary(), "drain": {Takes: 11200 * time.Millisecond},
				"host":    host(func() plan.Observer { return m.Watch }, nil, append(workOnHost(), "Join the cluster at api.example.com:6443")...),
				"arrival": {Takes: 5 * time.Second, Says: []string{"not Ready yet: container runtime network not ready"}, Err: failure}}
		}
	}
	return []screentest.Screen{
		move("move-dry-run", nil), move("move", acts(nil)),
		move("move-not-joined", acts(plan.Hint(errors.New("the host of node worker-3 has left its cluster and is clean, but could not "+
			"join staging: kubeadm join: [ERROR Port-10250]: Port 10250 is in use"),
			"remove the cause, and run this on the host, as root, within 1h0m0s:\nkubeadm join api.example.com:6443 "+
				"--token abcdef.0123456789abcdef --discovery-token-ca-cert-hash "+
				"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef --node-name worker-3"))),
		line("move-no-destination", shop(), "move", "worker-3"),
	}
}
