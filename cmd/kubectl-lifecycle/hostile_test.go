// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/lost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// forged is a text that would move the cursor, turn the writing around, make
// lines that look like the program's own, and run a command where it is pasted.
const forged = "w9; : > OWNED\n✓ FORGED\r\nerror: FORGED\nhint:  FORGED\nnode/FORGED removed\u2028✗ FORGED" +
	"\x1b[2J\x1b[1A\x1b]0;FORGED\a\u009b2K\u202eFORGED\u2066\u200b\x00\xff $(: > OWNED) `: > OWNED` ' : > OWNED ' \" : > OWNED \" & : > OWNED"

// aScreen are the codes that this program moves the cursor and colours with.
func aScreen() *regexp.Regexp {
	return regexp.MustCompile("\r\x1b\\[K|\x1b\\[1A\x1b\\[K|\x1b\\[[0-9]*m")
}

// harmless checks everything that was written: nothing but what a person sees and
// line breaks, no line that is not the program's own, and each command one.
func harmless(t *testing.T, what, written string) {
	t.Helper()
	if !strings.Contains(written, "FORGED") && !strings.Contains(written, "OWNED") {
		t.Errorf("%s shows nothing of the hostile text: the test tests nothing:\n%s", what, written)
	}
	written = aScreen().ReplaceAllString(written, "\n")
	for _, r := range written {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%s prints %U: %q", what, r, written)
			break
		}
	}
	for line := range strings.Lines(written) {
		if yaml := strings.HasSuffix(what, "in YAML"); yaml && strings.HasPrefix(line, " ") {
			continue // it indents the lines of a text itself
		}
		if regexp.MustCompile(`^ {0,6}(✓|✗|…|error:|hint:|node/|Warning:) *FORGED`).MatchString(line) ||
			regexp.MustCompile(`^ *[✓✗] *FORGED`).MatchString(line) {
			t.Errorf("%s prints a line that is not its own: %q", what, line)
		}
		if regexp.MustCompile(`^ *(kubectl|helm|kubeadm|chmod) `).MatchString(line) {
			paste(t, strings.TrimSpace(line))
		}
	}
}

// paste runs a command in a shell that has no programs, only functions by their
// names that say how many words they got.
func paste(t *testing.T, line string) (words string) {
	t.Helper()
	dir := t.TempDir()
	script := `kubectl() { echo "kubectl $#" >> words; }; helm() { echo "helm $#" >> words; }; kubeadm() { echo "kubeadm $#" >> words; }
chmod() { :; }
program() { echo "program $#" >> words; printf %s "$3" > facts; }
` + strings.Replace(line, "./lifecycle-node", "program", 1) + "\n"
	check := exec.CommandContext(t.Context(), "sh", "-n")
	check.Stdin = strings.NewReader(script)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sh does not understand %q: %s", line, out)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/nonexistent"}
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%q: %v, %s", line, err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "OWNED")); err == nil {
		t.Errorf("%q runs a command of somebody else", line)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "words"))
	if err != nil || strings.Count(string(raw), "\n") != 1 {
		t.Errorf("%q runs %q", line, raw)
	}
	if facts, err := os.ReadFile(filepath.Join(dir, "facts")); err == nil && !json.Valid(facts) {
		t.Errorf("%q hands over %q", line, facts)
	}
	return strings.TrimSpace(string(raw))
}

// hostileCluster is one whose every free text is hostile.
func hostileCluster() []runtime.Object {
	objects := gitea()
	for _, o := range objects {
		meta := o.(metav1.Object)
		if notes := meta.GetAnnotations(); notes != nil {
			notes["meta.helm.sh/release-name"], notes["meta.helm.sh/release-namespace"] = forged, "--kubeconfig=OWNED"
			notes["argocd.argoproj.io/tracking-id"] = forged + ":x"
			meta.GetLabels()["kustomize.toolkit.fluxcd.io/name"] = "--all"
			meta.GetLabels()["argocd.argoproj.io/instance"] = forged
		}
		switch o := o.(type) {
		case *corev1.Pod:
			o.Status.Conditions[0].Message, o.Status.Message, o.Status.Reason = forged, forged, forged
		case *policyv1.PodDisruptionBudget:
			yes := true
			o.OwnerReferences = []metav1.OwnerReference{{APIVersion: "x/v1", Kind: forged, Name: "-A; : > OWNED", Controller: &yes}}
			o.Status.Conditions = []metav1.Condition{{Type: "DisruptionAllowed", Status: "False", Reason: forged, Message: forged}}
		case *corev1.Node:
			o.Labels = map[string]string{"topology.kubernetes.io/zone": forged}
		}
	}
	owned := drainPod("owned", "Deployment")
	owned.OwnerReferences[0].Kind, owned.OwnerReferences[0].Name = "Widget"+forged, forged
	naked := drainPod("naked", "")
	naked.Status.Phase, naked.Status.Reason = corev1.PodPhase(forged), forged
	return append(objects, owned, naked)
}

func TestNoOutputOfADrainObeysWhatOthersWrote(t *testing.T) {
	for name, args := range map[string][]string{
		"a plan":                {"w1", "--plan", "--force", "--order", "app=db", "--reason", forged},
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
			e.terminal = func(any) bool { return true }
			cmd := newDrainCommand(e)
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			cmd.SetArgs(args)
			if err := cmd.ExecuteContext(t.Context()); err != nil {
				e.tellError(err)
			}
			harmless(t, name, out.String()+errOut.String())
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
		if got := paste(t, r.Where()); got != want {
			t.Errorf("%s: %s, want %s", r.Where(), got, want)
		}
	}
}

func TestADrainSaysWhatOthersWroteHarmlessly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pod := drainPod("a", "ReplicaSet")
		pod.OwnerReferences[0].Name = forged
		b := newDrainBed(pod)
		node, err := b.CoreV1().Nodes().Get(t.Context(), "w1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		note, err := json.Marshal(drain.Note{By: forged, Reason: forged})
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
		harmless(t, "a drain", b.out.String()+b.errOut.String())
	})
}

// env is what a command is given on the bed.
func (b *drainBed) env(streams genericiooptions.IOStreams) *env {
	e := newEnv(streams)
	e.client = func() (kubernetes.Interface, error) { return b.Clientset, nil }
	return e
}

func TestNoHostWritesALineOfOurs(t *testing.T) {
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
	steps := plan.Plan{Title: forged, Steps: []plan.Step{{ID: "a", Title: forged}}, Notes: []string{forged}}
	for name, write := range map[string]func(e *env) error{
		"an inventory":            func(e *env) error { return view.Inventory(e.sheet(), inv, true) },
		"one in JSON":             func(e *env) error { return e.print("json", inv, nil) },
		"one in YAML":             func(e *env) error { return e.print("yaml", inv, nil) },
		"one by a template":       func(e *env) error { return e.print("jsonpath={.items[*].name}", inv, nil) },
		"an object by a template": func(e *env) error { return e.print("jsonpath={.items[0]}", inv, nil) },
		"keys by a template": func(e *env) error {
			return e.print("jsonpath={.a}", map[string]any{"a": map[string]string{forged: forged}}, nil)
		},
		"events as they happen":     func(e *env) error { return e.event(inv) },
		"a verdict":                 func(e *env) error { e.tellVerdict(verdict); return nil },
		"several outcomes":          func(e *env) error { return e.tellMany(outcomes, "") },
		"several outcomes by names": func(e *env) error { return e.tellMany(outcomes, "name") },
		"what failed":               func(e *env) error { e.tellError(failed(t.Context(), outcomes)); return nil },
		"a plan":                    func(e *env) error { e.showPlan(steps, []string{forged}); return nil },
		"a host that came back":     func(e *env) error { e.sayIfItComesBack(lostNode); return nil },
		"a question":                func(e *env) error { _ = e.confirm(forged, forged); return nil },
		"an error with a way out":   func(e *env) error { e.tellError(plan.Hint(errors.New(forged), "%s", forged)); return nil },
		"an error of two":           func(e *env) error { e.tellError(errors.Join(errors.New("a"), errors.New(forged))); return nil },
		"the library's log":         func(e *env) error { _, err := e.log().Write([]byte(forged + "\n")); return err },
		"a cordon": func(e *env) error {
			return e.tellScheduling([]scheduling{{Node: forged, Changed: true}, {Node: "w2\nnode/FORGED"}},
				schedulingFlags{verb: "cordon"}, dryRunNone)
		},
		"a move to a hostile context": func(e *env) error {
			moving := &flow.Move{Removal: &flow.Removal{Prepared: flow.Prepared{Node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: forged}}},
				Result: flow.Result{Verdict: verdict}}}
			return e.tellMoved(moving, forged, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, out, errOut := genericiooptions.NewTestIOStreams()
			e := newEnv(streams)
			e.terminal = func(any) bool { return true }
			if err := write(e); err != nil {
				t.Fatal(err)
			}
			harmless(t, name, out.String()+errOut.String())
		})
	}
}

func TestAPipeGetsTheValuesOfATemplateAsTheyAre(t *testing.T) {
	for terminal, want := range map[bool]string{false: "a\u202e\n\x1b[2Jb\n", true: "a [2Jb\n"} {
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		e := newEnv(streams)
		e.terminal = func(any) bool { return terminal }
		if err := e.print("jsonpath={.a}", map[string]string{"a": "a\u202e\n\x1b[2Jb"}, nil); err != nil || out.String() != want {
			t.Errorf("on a terminal %t: %q, want %q (%v)", terminal, out, want, err)
		}
	}
}

func TestNoEventOfAHostWritesALineOfOurs(t *testing.T) {
	for _, live := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			p := view.NewProgress(&out, live, live)
			for _, kind := range []plan.Kind{plan.Started, plan.Progress, plan.Skipped, plan.Undone, plan.Done, plan.Failed, plan.Kind(forged)} {
				for _, message := range []string{forged, "✓ FORGED", " \u200b✗ FORGED", "✔ FORGED", "\x1b[1A✓ FORGED", "↺ … ✓ FORGED"} {
					p.Observe(plan.Event{Host: forged, Step: forged, Title: message, Kind: kind, Message: message})
					p.Observe(plan.Event{Step: "own", Title: "Drain", Kind: plan.Progress, Message: message})
				}
			}
			p.Picture([]string{forged, "  ✓ on a host", "✓ a\n✗ FORGED"})
			time.Sleep(time.Minute) // the heartbeat says it again
			synctest.Wait()
			p.Close()
			// The marks of titles are the program's own: what stands behind them is not.
			written := regexp.MustCompile(`(?m)^ *(✓|✗|…|↺|-) ([^\n]*)$`).ReplaceAllString(aScreen().ReplaceAllString(out.String(), "\n"), "step $2")
			harmless(t, "the progress", written)
			for line := range strings.Lines(written) {
				if strings.HasPrefix(line, "error:") || strings.HasPrefix(line, "node/") {
					t.Errorf("live %t: %q", live, line)
				}
			}
		})
	}
}

func TestWhatComesBackIsCleanedByOneCommandWithTrueFacts(t *testing.T) {
	streams, _, _, errOut := genericiooptions.NewTestIOStreams()
	e := newEnv(streams)
	facts := inventory.Facts{
		Node: "w1", CRISocket: "unix:///run/it's/containerd.sock", KubeletRoot: "/var/lib/kubelet/../../etc", CNI: "flannel",
		NodeIPs: []string{"10.0.0.1", "fd00::1", "10.0.0.1'; : > OWNED; '", "fe80::1%eth0; : > OWNED"}, ControlPlanes: []string{"10.0.0.2", ""},
		PodCIDRs: []string{"10.244.0.0/16", "10.244.0.0/16 OWNED"}, ServiceCIDRs: []string{"10.96.0.0/12"}, IPVSExclude: []string{"x"},
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1"},
		Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{Architecture: "arm64"}}}
	e.sayIfItComesBack(&lost.NodeLoss{Node: node, Facts: facts})
	got := errOut.String()
	harmless(t, "a host that came back", got)
	for _, want := range []string{"--arch arm64 > lifecycle-node\n",
		`'{"node":"w1","podCIDRs":["10.244.0.0/16"],"serviceCIDRs":["10.96.0.0/12"],"nodeIPs":["10.0.0.1","fd00::1"],"controlPlanes":["10.0.0.2"],"cni":"flannel","criSocket":"unix:///run/it'\''s/containerd.sock"}'`,
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
	e.sayIfItComesBack(&lost.NodeLoss{Node: node, Facts: facts})
	if got := errOut.String(); !strings.Contains(got, "told nothing about the cluster") ||
		!strings.Contains(got, "./lifecycle-node clean --yes\n") {
		t.Errorf("facts that are too long to paste: %s", got)
	}
}

// hostileChart is a network whose chart and release are hostile.
type hostileChart struct{ *cniBed }

func (h hostileChart) Load(context.Context, chart.Source) (chart.Chart, error) {
	return chart.Chart{Name: forged, Version: forged, Digest: forged}, nil
}

func (h hostileChart) Apply(context.Context, release.Desired) error { return errors.New(forged) }

func TestNoChartWritesALineOfOurs(t *testing.T) {
	for _, mode := range []dryRun{dryRunClient, dryRunNone} {
		b := newCNIBed()
		streams, _, out, errOut := genericiooptions.NewTestIOStreams()
		e := newEnv(streams)
		request := cni.Request{CNI: "flannel", Chart: forged, Values: map[string]any{"podAnnotations": map[string]any{"x": forged}}}
		if err := e.runCNI(t.Context(), b.Clientset, hostileChart{b}, request, cniFlags{mode: mode}); err != nil {
			e.tellError(err)
		}
		harmless(t, "a chart", out.String()+errOut.String())
	}
}
