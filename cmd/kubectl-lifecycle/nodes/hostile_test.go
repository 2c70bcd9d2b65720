// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/envtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/lost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
)

// hostileCluster is one whose every free text is hostile.
func hostileCluster() []runtime.Object {
	objects := gitea()
	for _, o := range objects {
		meta := o.(metav1.Object)
		if notes := meta.GetAnnotations(); notes != nil {
			notes["meta.helm.sh/release-name"], notes["meta.helm.sh/release-namespace"] = envtest.Forged, "--kubeconfig=OWNED"
			notes["argocd.argoproj.io/tracking-id"] = envtest.Forged + ":x"
			meta.GetLabels()["kustomize.toolkit.fluxcd.io/name"] = "--all"
			meta.GetLabels()["argocd.argoproj.io/instance"] = envtest.Forged
		}
		switch o := o.(type) {
		case *corev1.Pod:
			o.Status.Conditions[0].Message, o.Status.Message, o.Status.Reason = envtest.Forged, envtest.Forged, envtest.Forged
		case *policyv1.PodDisruptionBudget:
			yes := true
			o.OwnerReferences = []metav1.OwnerReference{{APIVersion: "x/v1", Kind: envtest.Forged, Name: "-A; : > OWNED", Controller: &yes}}
			o.Status.Conditions = []metav1.Condition{{Type: "DisruptionAllowed", Status: "False", Reason: envtest.Forged, Message: envtest.Forged}}
		case *corev1.Node:
			o.Labels = map[string]string{"topology.kubernetes.io/zone": envtest.Forged}
		}
	}
	owned := drainPod("owned", "Deployment")
	owned.OwnerReferences[0].Kind, owned.OwnerReferences[0].Name = "Widget"+envtest.Forged, envtest.Forged
	naked := drainPod("naked", "")
	naked.Status.Phase, naked.Status.Reason = corev1.PodPhase(envtest.Forged), envtest.Forged
	return append(objects, owned, naked)
}

func TestNoOutputOfADrainObeysWhatOthersWrote(t *testing.T) {
	for name, args := range map[string][]string{
		"a plan":                {"w1", "--plan", "--force", "--order", "app=db", "--reason", envtest.Forged},
		"a plan by names":       {"w1", "--plan", "--force", "-o", "json"},
		"a dry run":             {"w1", "--dry-run", "--force"},
		"a dry run in JSON":     {"w1", "--dry-run", "--force", "-o", "json"},
		"one in YAML":           {"w1", "--dry-run", "--force", "-o", "yaml"},
		"one by a template":     {"w1", "--dry-run", "--force", "-o", "jsonpath={.pods}{\"\\n\"}{.pods[*].owners}"},
		"a drain without force": {"w1", "--dry-run"},
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, out, errOut := genericiooptions.NewTestIOStreams()
			b := newDrainBed(hostileCluster()...)
			b.out, b.errOut = out, errOut
			e := b.env(streams)
			e.Terminal = func(any) bool { return true }
			cmd := newDrainCommand(commands{e})
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			cmd.SetArgs(args)
			if err := cmd.ExecuteContext(t.Context()); err != nil {
				e.TellError(err)
			}
			envtest.Harmless(t, name, out.String()+errOut.String())
			if args[len(args)-1] == "json" && !json.Valid(out.Bytes()) {
				t.Errorf("no JSON: %s", out)
			}
		})
	}
}

func TestAReleaseOfHostileWordsGivesNoCommand(t *testing.T) {
	for name, r := range map[string]managedby.Release{
		"Helm":                  {Tool: managedby.Helm, Name: "x; : > OWNED", Namespace: "shop"},
		"Helm's namespace":      {Tool: managedby.Helm, Name: "x", Namespace: "$(: > OWNED)"},
		"an option of Helm":     {Tool: managedby.Helm, Name: "--post-renderer=/tmp/x", Namespace: "shop"},
		"Argo CD":               {Tool: managedby.ArgoCD, Name: "x,metadata.namespace=y z"},
		"Flux":                  {Tool: managedby.FluxHelm, Name: "--all", Namespace: "shop"},
		"a Kustomization":       {Tool: managedby.FluxKustomize, Name: "a", Namespace: "-A"},
		"an owner's kind":       {Tool: managedby.Operator, Kind: "pods --all-namespaces", Name: "x", Namespace: "shop"},
		"an owner's name":       {Tool: managedby.Operator, Kind: "Widget", Name: "`id`", Namespace: "shop"},
		"a namespace in colour": {Tool: managedby.Operator, Kind: "Widget", Name: "x", Namespace: "\x1b[31mshop"},
	} {
		if got := r.Where(); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for r, want := range map[managedby.Release]string{
		{Tool: managedby.Helm, Name: "gitea", Namespace: "git"}:                    "helm 6",
		{Tool: managedby.ArgoCD, Name: "gitea.v2"}:                                 "kubectl 7",
		{Tool: managedby.Operator, Kind: "Cluster", Name: "pg", Namespace: "shop"}: "kubectl 7",
	} {
		if got := envtest.Paste(t, r.Where()); got != want {
			t.Errorf("%s: %s, want %s", r.Where(), got, want)
		}
	}
}

func TestADrainSaysWhatOthersWroteHarmlessly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pod := drainPod("a", "ReplicaSet")
		pod.OwnerReferences[0].Name = envtest.Forged
		b := newDrainBed(pod)
		node, err := b.CoreV1().Nodes().Get(t.Context(), "w1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		note, err := json.Marshal(drain.Note{By: envtest.Forged, Reason: envtest.Forged})
		if err != nil {
			t.Fatal(err)
		}
		node.Annotations = map[string]string{drain.NoteAnnotation: string(note)}
		node.Spec.Unschedulable = true
		if err := b.Tracker().Update(corev1.SchemeGroupVersion.WithResource("nodes"), node, ""); err != nil {
			t.Fatal(err)
		}
		if err := b.run(t, newDrainCommand, "w1"); err != nil {
			t.Fatal(err)
		}
		envtest.Harmless(t, "a drain", b.out.String()+b.errOut.String())
	})
}

// env is what a command is given on the bed.
func (b *drainBed) env(streams genericiooptions.IOStreams) *env.Env {
	e := env.New(streams, "dev")
	e.Client = func() (kubernetes.Interface, error) { return b.Clientset, nil }
	return e
}

func TestNoHostWritesALineOfOurs(t *testing.T) {
	const forged = envtest.Forged
	items := []inventory.Item{
		{Kind: inventory.KindMount, Name: "/var/lib/kubelet/pods/x/volume-subpaths/" + forged, In: forged, Owner: forged,
			Fate: inventory.Goes, Detail: forged},
		{Kind: inventory.Kind("node/FORGED"), Name: "removed", Fate: inventory.Goes, Why: forged},
		{Kind: inventory.Kind(forged), Name: forged, Fate: inventory.Fate(forged)},
	}
	inv := inventory.Inventory{Hostname: forged, Items: items, Unchecked: []inventory.Unchecked{{Kind: forged, What: forged, Why: forged}},
		Blocking: []string{forged}}
	verdict := inventory.Verdict{State: inventory.State(forged), Backup: forged, AfterReboot: items, Lost: items, Changed: items}
	outcomes := []flow.NodeResult{{Node: forged, Removed: true, Verdict: verdict}, {Node: "w2", Error: forged, Hint: forged},
		{Node: "node/FORGED"}}
	lostNode := &lost.NodeLoss{Node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: forged},
		Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{Architecture: forged}}},
		Facts: inventory.Facts{Node: "w1", CRISocket: forged, NodeIPs: []string{"10.0.0.1", forged}, PodCIDRs: []string{forged, "10.244.0.0/16"}}}
	for name, write := range map[string]func(c commands) error{
		"an inventory":              func(c commands) error { return view.Inventory(c.Sheet(), inv, true) },
		"a verdict":                 func(c commands) error { c.tellVerdict(verdict); return nil },
		"several outcomes":          func(c commands) error { return c.tellMany(outcomes, "") },
		"several outcomes by names": func(c commands) error { return c.tellMany(outcomes, "name") },
		"what failed":               func(c commands) error { c.TellError(failed(t.Context(), outcomes)); return nil },
		"a host that came back":     func(c commands) error { c.sayIfItComesBack(lostNode); return nil },
		"a cordon": func(c commands) error {
			return c.tellScheduling([]scheduling{{Node: forged, Changed: true}, {Node: "w2\nnode/FORGED"}},
				schedulingFlags{verb: "cordon"}, env.DryRunNone)
		},
		"a move to a hostile context": func(c commands) error {
			moving := &flow.Move{Removal: &flow.Removal{Prepared: flow.Prepared{Node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: forged}}},
				Result: flow.Result{Verdict: verdict}}}
			return c.tellMoved(moving, forged, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, out, errOut := genericiooptions.NewTestIOStreams()
			c := commands{env.New(streams, "dev")}
			c.Terminal = func(any) bool { return true }
			if err := write(c); err != nil {
				t.Fatal(err)
			}
			envtest.Harmless(t, name, out.String()+errOut.String())
		})
	}
}

// A host that was reset by hand is neither off nor can its kubelet come back by itself.
func TestTheLastWordsOfAHostWithoutAKubeletSayWhatIsLeftOnIt(t *testing.T) {
	for without, want := range map[bool]string{
		false: "If the host comes back, its kubelet registers with this cluster again.",
		true:  "Its host is up, and no kubelet listens there. If it was reset by hand (kubeadm reset), it cannot register again",
	} {
		streams, _, _, errOut := genericiooptions.NewTestIOStreams()
		c := commands{env.New(streams, "dev")}
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1"}}
		node.Status.NodeInfo.Architecture = "amd64"
		c.sayIfItComesBack(&lost.NodeLoss{Node: node, WithoutKubelet: without})
		got := errOut.String()
		if !strings.HasPrefix(got, want) || !strings.Contains(got, "lifecycle-node clean --yes") ||
			strings.Contains(got, "if the node has registered again:\n  kubectl delete node w1") != without && without {
			t.Errorf("without a kubelet %v:\n%s", without, got)
		}
	}
}

func TestWhatComesBackIsCleanedByOneCommandWithTrueFacts(t *testing.T) {
	streams, _, _, errOut := genericiooptions.NewTestIOStreams()
	c := commands{env.New(streams, "dev")}
	facts := inventory.Facts{
		Node: "w1", CRISocket: "unix:///run/it's/containerd.sock", KubeletRoot: "/var/lib/kubelet/../../etc", CNI: "flannel",
		NodeIPs: []string{"10.0.0.1", "fd00::1", "10.0.0.1'; : > OWNED; '", "fe80::1%eth0; : > OWNED"}, ControlPlanes: []string{"10.0.0.2", ""},
		PodCIDRs: []string{"10.244.0.0/16", "10.244.0.0/16 OWNED"}, ServiceCIDRs: []string{"10.96.0.0/12"}, IPVSExclude: []string{"x"},
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1"},
		Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{Architecture: "arm64"}}}
	c.sayIfItComesBack(&lost.NodeLoss{Node: node, Facts: facts})
	got := errOut.String()
	envtest.Harmless(t, "a host that came back", got)
	for _, want := range []string{"--arch arm64 > lifecycle-node\n",
		`'{"node":"w1","podCIDRs":["10.244.0.0/16"],"serviceCIDRs":["10.96.0.0/12"],` +
			`"nodeIPs":["10.0.0.1","fd00::1"],"controlPlanes":["10.0.0.2"],"cni":"flannel","criSocket":"unix:///run/it'\''s/containerd.sock"}'`,
		"left out of what the program is told: \"/var/lib/kubelet/../../etc\", which is no path of a directory"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	errOut.Reset()
	facts.PodCIDRs = nil
	for range 5000 {
		facts.PodCIDRs = append(facts.PodCIDRs, "10.244.0.0/24")
	}
	c.sayIfItComesBack(&lost.NodeLoss{Node: node, Facts: facts})
	if got := errOut.String(); !strings.Contains(got, "does not know the cluster") ||
		!strings.Contains(got, "./lifecycle-node clean --yes\n") {
		t.Errorf("facts that are too long to paste: %s", got)
	}
}
