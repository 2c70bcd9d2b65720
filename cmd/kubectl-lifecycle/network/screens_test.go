// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"flag"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/screentest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/status"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/uninstall"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netclean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netswitch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/probe"
)

var update = flag.Bool("update", false, "write the golden files of screens")

// TestScreensOfNetworks has what each command about the pod network shows.
func TestScreensOfNetworks(t *testing.T) {
	screentest.Compare(t, *update, slices.Concat(installScreens(), statusScreens(), probeScreens(), askScreens(t), uninstallScreens(),
		switchScreens()))
}

// line is the screen of a command line.
func line(name string, with func(*testing.T, *env.Env), args ...string) screentest.Screen {
	return screentest.Family(Commands).Line(name, with, args...)
}

// still is a screen at a fixed time.
func still(name string, show func(t *testing.T, c commands) error) screentest.Screen {
	return screentest.Screen{Name: name, Show: screentest.Still(func(t *testing.T, e *env.Env) error {
		t.Helper()
		return show(t, commands{e})
	})}
}

// arrives are packets all of which arrive.
func arrives() probe.Result {
	works := func(name, detail string) probe.Line {
		return probe.Line{Name: name, Outcome: probe.Works, Detail: detail}
	}
	return probe.Result{Nodes: []string{"worker-1", "worker-2"}, Lines: []probe.Line{
		works(probe.Pods, "3 of 3, 2.4s at most"), works(probe.SameNode, "1 of 1, 800µs at most"), works(probe.Across, "2 of 2, 1.9ms at most"),
		works(probe.Sized, "2 of 2, 1.1ms at most"), works(probe.Service, "2 of 2, 2ms at most"), works(probe.Names, "2 of 2, 12ms at most"),
		works(probe.Server, "2 of 2, 9ms at most"),
		{Name: probe.HostPort, Outcome: probe.NotTried, Detail: "node worker-2 has no InternalIP"}},
		Pairs: []probe.Pair{{From: "worker-1", To: "worker-2", Stream: probe.Works, FullSize: probe.Works, Bytes: 1450},
			{From: "worker-2", To: "worker-1", Stream: probe.Works, FullSize: probe.Works, Bytes: 1450}}}
}

// lost are packets of which some are.
func lost() probe.Result {
	r := arrives()
	r.Lines[2] = probe.Line{Name: probe.Across, Outcome: probe.Fails, Finding: "CNI015",
		Detail: "2 of 2 fail: worker-1 to worker-2: dial tcp 10.244.2.7:9999: i/o timeout; and 1 more"}
	r.Lines[3] = probe.Line{Name: probe.Sized, Outcome: probe.NotTried, Detail: "no stream arrives"}
	for i := range r.Pairs {
		r.Pairs[i].Stream, r.Pairs[i].FullSize, r.Pairs[i].Why = probe.Fails, probe.NotTried, "dial tcp 10.244.2.7:9999: i/o timeout"
	}
	r.Skipped = []probe.Skipped{{Node: "worker-3", Why: "its kubelet does not answer"}}
	return r
}

func installScreens() []screentest.Screen {
	install := func(name string, f cniFlags, values map[string]any, before func(t *testing.T, c commands, b *cniBed)) screentest.Screen {
		return still(name, func(t *testing.T, c commands) error {
			t.Helper()
			b := newCNIBed()
			if before != nil {
				before(t, c, b)
			}
			if f.mode == "" {
				f.mode = env.DryRunNone
			}
			return c.runCNI(t.Context(), b.Clientset, b, cni.Request{CNI: "flannel", Values: values}, f)
		})
	}
	prove := func(r probe.Result, err error) prover {
		return func(context.Context, plan.Report) (probe.Result, error) { return r, err }
	}
	installed := func(t *testing.T, _ commands, b *cniBed) {
		t.Helper()
		if err := b.run(t, cni.Request{}, cniFlags{}); err != nil {
			t.Fatal(err)
		}
	}
	return []screentest.Screen{
		install("cni-install-dry-run", cniFlags{mode: env.DryRunClient}, nil, nil),
		install("cni-install", cniFlags{prove: prove(arrives(), nil)}, map[string]any{"flannel": map[string]any{"backend": "host-gw"}}, nil),
		install("cni-install-nothing-to-do", cniFlags{}, nil, installed),
		install("cni-install-packets-are-lost", cniFlags{prove: prove(lost(), nil)}, nil, nil),
		install("cni-install-not-tested", cniFlags{prove: prove(probe.Result{}, plan.Hint(errors.New("you may not create pods in kube-system"),
			"ask for it, or leave the test out: --probe=false"))}, nil, nil),
		install("cni-install-refused-range", cniFlags{}, map[string]any{"podCidr": "10.1.0.0/16"}, nil),
		line("cni-install-unknown", nil, "cni", "install", "romana"), line("cni-install-no-name", nil, "cni", "install"),
		line("cni-install-bad-set", nil, "cni", "install", "flannel", "--set", "a[b]=1"),
	}
}

func statusScreens() []screentest.Screen {
	show := func(name, output string, change func(t *testing.T, client *fake.Clientset)) screentest.Screen {
		return still(name, func(t *testing.T, c commands) error {
			t.Helper()
			client := fake.NewClientset(cnitest.Working()...)
			if change != nil {
				change(t, client)
			}
			in, err := status.Read(t.Context(), client, nil, catalogue.Signs())
			if err != nil {
				return env.NothingChanged(err)
			}
			return c.tellStatus(output, status.Of(in))
		})
	}
	crash := func(p *corev1.Pod) {
		p.Status.Conditions = nil
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "kube-flannel", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "Failed to check br_netfilter: stat " +
				"/proc/sys/net/bridge/bridge-nf-call-iptables: no such file or directory"}}}}
	}
	broken := func(t *testing.T, client *fake.Clientset) {
		t.Helper()
		pods := corev1.SchemeGroupVersion.WithResource("pods")
		if err := client.Tracker().Update(pods, cnitest.Agent("a", crash), "kube-flannel"); err != nil {
			t.Fatal(err)
		}
	}
	return []screentest.Screen{
		show("cni-status", "", nil), show("cni-status-wide", "wide", nil), show("cni-status-broken", "", broken),
		still("cni-status-none", func(t *testing.T, c commands) error {
			t.Helper()
			in, err := status.Read(t.Context(), newCNIBed().Clientset, nil, catalogue.Signs())
			if err != nil {
				return env.NothingChanged(err)
			}
			return c.tellStatus("", status.Of(in))
		}),
	}
}

func probeScreens() []screentest.Screen {
	show := func(name string, r probe.Result, wide bool) screentest.Screen {
		return still(name, func(_ *testing.T, c commands) error {
			if err := view.Probe(c.Sheet(), r, wide); err != nil {
				return err
			}
			return unreached(r)
		})
	}
	return []screentest.Screen{
		show("cni-test", arrives(), false), show("cni-test-wide", arrives(), true), show("cni-test-fails", lost(), false),
		line("cni-test-too-many", nil, "cni", "test", "--nodes", "500")}
}

func askScreens(t *testing.T) []screentest.Screen {
	t.Helper()
	compose := []string{"flannel", "--chart", smallChart(t), "--kubernetes-version", "1.36", "--mirror", "ghcr.io=registry.example.com/ghcr"}
	ask := func(name, verb string) screentest.Screen {
		return line(name, nil, append([]string{"cni", verb}, compose...)...)
	}
	return []screentest.Screen{
		line("cni-list", nil, "cni", "list"), line("cni-versions", nil, "cni", "versions", "cilium"),
		ask("cni-values", "values"), ask("cni-images", "images"),
		line("cni-explain", nil, "cni", "explain"), line("cni-explain-one", nil, "cni", "explain", "CNI015"),
		line("cni-explain-unknown", nil, "cni", "explain", "CNI999"),
	}
}

// flannels is what goes with flannel.
func flannels() uninstall.Uninstallation {
	return uninstall.Uninstallation{CNI: "flannel", Release: release.Release{Name: "flannel", Namespace: "kube-flannel", Revision: 2},
		Objects: []release.Object{{Resource: "daemonsets", Group: "apps", Namespace: "kube-flannel", Name: "kube-flannel-ds"},
			{Resource: "configmaps", Namespace: "kube-flannel", Name: "kube-flannel-cfg"},
			{Resource: "clusterroles", Group: "rbac.authorization.k8s.io", Name: "flannel"}},
		Marks: []uninstall.Mark{{Node: "worker-1", Annotations: []string{"flannel.alpha.coreos.com/backend-data",
			"flannel.alpha.coreos.com/public-ip"}, Condition: true}},
		Stays:   []string{"namespace kube-flannel: the chart does not hold it"},
		OnHosts: []string{"the links flannel.1 and cni0", "/etc/cni/net.d/10-flannel.conflist", "/run/flannel"},
		Pods:    map[string]int{"shop/ReplicaSet/web-7d4b9c6f5d": 2, "shop/StatefulSet/db": 3}}
}

func uninstallScreens() []screentest.Screen {
	hosts := func(name string, results ...netclean.Result) screentest.Screen {
		return still(name, func(t *testing.T, c commands) error {
			t.Helper()
			if err := c.tellHosts("", results); err != nil {
				return err
			}
			return hostsLeft(t.Context(), "flannel", results)
		})
	}
	link := inventory.Item{Kind: inventory.KindLink, Name: "flannel.1", Owner: inventory.Flannel, Fate: inventory.Goes}
	file := inventory.Item{Kind: inventory.KindFile, Name: "/etc/cni/net.d/10-flannel.conflist",
		Owner: inventory.Flannel, Fate: inventory.Goes}
	sysctl := inventory.Item{Kind: inventory.KindSysctl, Name: "net.bridge.bridge-nf-call-iptables", Detail: "1"}
	clean := inventory.Verdict{State: inventory.Clean, Harmless: []inventory.Item{sysctl}}
	return []screentest.Screen{
		still("cni-uninstall-dry-run", func(t *testing.T, c commands) error {
			t.Helper()
			return c.runUninstall(t.Context(), fake.NewClientset(), nil, flannels(), uninstallFlags{mode: env.DryRunClient})
		}),
		still("cni-uninstall-not-confirmed", func(t *testing.T, c commands) error {
			t.Helper()
			return c.runUninstall(t.Context(), fake.NewClientset(), nil, flannels(), uninstallFlags{mode: env.DryRunNone})
		}),
		still("cni-uninstall", func(t *testing.T, c commands) error {
			t.Helper()
			u := flannels()
			recipe := uninstall.Recipe(fake.NewClientset(), nil, u)
			progress := c.Progress()
			_, err := screentest.Played(recipe, map[string]screentest.Act{"release": {Takes: 2 * time.Second},
				"agents": {Takes: 31 * time.Second, Says: []string{"waiting for 3 agents", "waiting for 1 agent"}}}).Run(t.Context(), progress)
			progress.Close()
			if err != nil {
				return err
			}
			c.Say("What stays on each host, and how to remove it:")
			return errors.Join(view.OnHosts(c.ErrSheet(), u), c.tellUninstall(uninstallFlags{}, u, "uninstalled"))
		}),
		still("cni-uninstall-nothing", func(t *testing.T, c commands) error {
			t.Helper()
			return c.runUninstall(t.Context(), nil, nil, uninstall.Uninstallation{CNI: "antrea"}, uninstallFlags{mode: env.DryRunNone})
		}),
		still("cni-uninstall-pods-run", func(t *testing.T, c commands) error {
			t.Helper()
			b := newCNIBed()
			if err := b.run(t, cni.Request{}, cniFlags{}); err != nil {
				t.Fatal(err)
			}
			web := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-0",
				OwnerReferences: []metav1.OwnerReference{{Kind: "StatefulSet", Name: "web", Controller: new(true)}}},
				Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.244.0.9"}}
			if err := b.Tracker().Add(web); err != nil {
				t.Fatal(err)
			}
			_, err := c.decideUninstall(t.Context(), b.Clientset, removable{b}, "", uninstallFlags{})
			return env.NothingChanged(err)
		}),
		hosts("cni-clean-nodes-dry-run", netclean.Result{Node: "worker-1", State: netclean.Looked, Objects: []inventory.Item{link, file},
			Pods: []string{"shop/web-0"}, Seconds: 2.1}, netclean.Result{Node: "worker-2", State: netclean.Nothing, Seconds: 1.4}),
		hosts("cni-clean-nodes", netclean.Result{Node: "worker-1", State: netclean.Cleaned, Objects: []inventory.Item{link, file}, Verdict: clean,
			Seconds: 3.4}, netclean.Result{Node: "worker-2", State: netclean.Cleaned, Objects: []inventory.Item{link}, Verdict: clean, Seconds: 3}),
		hosts("cni-clean-nodes-left", netclean.Result{Node: "worker-1", State: netclean.Cleaned, Objects: []inventory.Item{link}, Seconds: 3.4,
			Verdict: inventory.Verdict{State: inventory.CleanBut, But: []inventory.Item{{Kind: inventory.KindFilter,
				Name: "-A INPUT -s 10.244.0.0/16 -j ACCEPT", In: "nft ip filter", Why: "not provably flannel's"}}}},
			netclean.Result{Node: "worker-2", State: netclean.Failed, Seconds: 4, Error: "an agent runs still: kube-flannel/kube-flannel-ds-x8w2p",
				Hint: "delete that pod, and run the command again"},
			netclean.Result{Node: "worker-3", State: netclean.Silent, Error: "its kubelet does not answer: Kubelet stopped posting node status.",
				Hint: "bring it back, or remove it: kubectl lifecycle remove worker-3 --node-lost"}),
	}
}

func switchScreens() []screentest.Screen {
	switched := func(name string, mode env.DryRun, show func(t *testing.T, s *switching) error) screentest.Screen {
		return still(name, func(t *testing.T, c commands) error {
			t.Helper()
			b := newCNIBed()
			if err := b.run(t, cni.Request{}, cniFlags{}); err != nil {
				t.Fatal(err)
			}
			s := &switching{commands: c, client: b.Clientset, store: removable{b}, request: cni.Request{CNI: "flannel"},
				flags:  switchFlags{cniFlags: cniFlags{mode: env.DryRunClient}, cleanFlags: cleanFlags{atOnce: usualHosts}, restart: true},
				states: netswitch.Store{Client: b.Clientset}}
			if err := s.prepare(t.Context()); err != nil {
				return env.NothingChanged(err)
			}
			s.flags.mode = mode
			return show(t, s)
		})
	}
	return []screentest.Screen{
		switched("cni-switch-dry-run", env.DryRunClient, func(_ *testing.T, s *switching) error {
			return errors.Join(s.show(), s.tell("would be replaced by", "(dry run: nothing was changed)"))
		}),
		switched("cni-switch-warned", env.DryRunNone, func(_ *testing.T, s *switching) error {
			s.silent, s.webhooks = []string{"worker-3"}, []string{"validatingwebhookconfiguration/guard"}
			return errors.Join(s.show(), s.Confirm("This interrupts all pods of the cluster until the network flannel works.", "flannel"))
		}),
		switched("cni-switch", env.DryRunNone, func(_ *testing.T, s *switching) error { return s.tellDone() }),
		switched("cni-switch-hosts-left", env.DryRunNone, func(t *testing.T, s *switching) error {
			t.Helper()
			results := []netclean.Result{{Node: "worker-1", State: netclean.Failed,
				Error: "an agent runs still: kube-flannel/kube-flannel-ds-x8w2p",
				Hint:  "delete that pod, and run the command again"}, {Node: "worker-2", State: netclean.Cleaned}}
			s.failed(results)
			return hostsLeft(t.Context(), "flannel", results)
		}),
		still("cni-switch-none", func(t *testing.T, c commands) error {
			t.Helper()
			_, err := switchingTo(t, newCNIBed(), "", "flannel")
			return env.NothingChanged(err)
		}),
	}
}
