// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/probe"
)

// cniBed is a fake kubeadm cluster of one node and no network; its releases
// work at once.
type cniBed struct {
	*fake.Clientset
	release     release.Release
	images      []release.Image
	applied     int
	out, errOut *bytes.Buffer
}

func newCNIBed() *cniBed {
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kubeadm-config", Namespace: "kube-system"}}
	config.Data = map[string]string{"ClusterConfiguration": "networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}"}
	proxy := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "kube-proxy", Namespace: "kube-system"}}
	b := &cniBed{Clientset: fake.NewClientset(config, proxy, cniNode(corev1.ConditionFalse))}
	b.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}, nil
	})
	return b
}

func cniNode(ready corev1.ConditionStatus) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1"}, Spec: corev1.NodeSpec{PodCIDRs: []string{"10.244.0.0/24"}}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
	node.Annotations = map[string]string{"flannel.alpha.coreos.com/kube-subnet-manager": "true",
		"flannel.alpha.coreos.com/public-ip": "172.18.0.2"}
	return node
}

func (b *cniBed) Find(context.Context, string, string) (release.Release, error) {
	return b.release, nil
}

func (b *cniBed) Load(context.Context, chart.Source) (chart.Chart, error) {
	return chart.Chart{Name: "flannel", Version: "v0.28.4", Digest: "d"}, nil
}

func (b *cniBed) Render(context.Context, release.Desired) (release.Rendered, error) {
	return release.Rendered{Images: b.images}, nil
}

func (b *cniBed) Template(context.Context, release.Desired, string) (release.Rendered, error) {
	return release.Rendered{Images: b.images}, nil
}

func (b *cniBed) Define(context.Context, release.Desired) (int, error) { return 0, nil }

func (b *cniBed) Unlock(context.Context, release.Release) error { return nil }

func (b *cniBed) Apply(_ context.Context, d release.Desired) error {
	b.applied++
	yes := true
	labels := map[string]string{"app": "flannel"}
	set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "kube-flannel-ds", Namespace: d.Namespace, UID: "set",
		Annotations: map[string]string{
			"meta.helm.sh/release-name": d.Name, "meta.helm.sh/release-namespace": d.Namespace,
		}}}
	set.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: d.Namespace, Labels: labels},
		Spec: corev1.PodSpec{NodeName: "w1"}}
	pod.OwnerReferences = []metav1.OwnerReference{{UID: "set", Controller: &yes}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	b.release = release.Release{Name: d.Name, Namespace: d.Namespace, Revision: 1, Status: release.Deployed, Version: d.Chart.Version,
		Digest: d.Chart.Digest, Values: d.Values}
	return errors.Join(b.Tracker().Add(set), b.Tracker().Add(pod),
		b.Tracker().Update(corev1.SchemeGroupVersion.WithResource("nodes"), cniNode(corev1.ConditionTrue), ""))
}

// run does what the command does once its flags are read.
func (b *cniBed) run(t *testing.T, request cni.Request, f cniFlags) error {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	b.out, b.errOut = out, errOut
	request.CNI = "flannel"
	if f.mode == "" {
		f.mode = env.DryRunNone
	}
	return commands{env.New(streams, "dev")}.runCNI(t.Context(), b.Clientset, b, request, f)
}

func TestCNIInstallShowsDoesAndThenHasNothingToDo(t *testing.T) {
	b := newCNIBed()
	if err := b.run(t, cni.Request{Values: map[string]any{"flannel": map[string]any{"psk": "hush"}}}, cniFlags{}); err != nil {
		t.Fatal(err)
	}
	if got := b.out.String(); got != "cni/flannel installed\n" {
		t.Errorf("stdout %q", got)
	}
	for _, want := range []string{
		"Nodes      1, 0 Ready", "Pods       10.244.0.0/16", "Services   10.96.0.0/16",
		"podCidr=10.244.0.0/16", "from the cluster: podSubnet of configmap kube-system/kubeadm-config",
		"flannel.psk=(not shown)", "3. Wait until the network works", "✓ Install chart flannel v0.28.4 as release flannel",
	} {
		if !strings.Contains(b.errOut.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.errOut)
		}
	}
	if strings.Contains(b.errOut.String(), "hush") {
		t.Error("a secret value was shown")
	}
	if err := b.run(t, cni.Request{}, cniFlags{}); err != nil ||
		b.out.String() != "cni/flannel installed (nothing to do)\n" || b.applied != 1 {
		t.Errorf("again: %v, stdout %q, applied %d times", err, b.out, b.applied)
	}
}

func TestCNIInstallDryRunChangesNothing(t *testing.T) {
	b := newCNIBed()
	if err := b.run(t, cni.Request{Values: map[string]any{"psk": "hush"}}, cniFlags{mode: env.DryRunClient, output: "json"}); err != nil {
		t.Fatal(err)
	}
	var result struct{ Action, Result string }
	if err := json.Unmarshal(b.out.Bytes(), &result); err != nil || result.Action != "install" ||
		!strings.Contains(result.Result, "dry run: nothing was changed") {
		t.Errorf("%v, %s", err, b.out)
	}
	if strings.Contains(b.out.String(), "hush") || b.applied > 0 {
		t.Errorf("applied %d times, stdout %s", b.applied, b.out)
	}
	for _, a := range b.Actions() {
		if v := a.GetVerb(); v != "get" && v != "list" && a.GetResource().Resource != "selfsubjectaccessreviews" {
			t.Errorf("it did %s %s", v, a.GetResource().Resource)
		}
	}
}

func TestCNIInstallRefuses(t *testing.T) {
	b := newCNIBed()
	err := b.run(t, cni.Request{Values: map[string]any{"podCidr": "10.1.0.0/16"}}, cniFlags{})
	if plan.ClassOf(err) != plan.Refused || b.applied > 0 || b.out.Len() > 0 {
		t.Errorf("%v, class %d", err, plan.ClassOf(err))
	}
}

func TestCNIInstallChecksItsFlagsBeforeItReads(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(bad, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"an unknown network": {"install", "romana"}, "no network": {"install"}, "an unknown format": {"install", "flannel", "-o", "xml"},
		"an unknown dry run": {"install", "flannel", "--dry-run=maybe"}, "unreadable values": {"install", "flannel", "--values", bad},
		"an unreadable --set": {"install", "flannel", "--set", "a[b]=1"},
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, _, _ := genericiooptions.NewTestIOStreams()
			e := env.New(streams, "dev")
			e.Client = func() (kubernetes.Interface, error) {
				t.Error("it read the cluster")
				return nil, errors.New("no")
			}
			cmd := newCNICommand(commands{e})
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			cmd.SetArgs(args)
			if err := cmd.ExecuteContext(t.Context()); plan.ClassOf(err) != plan.Misused {
				t.Errorf("%v, class %d", err, plan.ClassOf(err))
			}
		})
	}
}

func TestAnInstallationEndsWithPackets(t *testing.T) {
	lost := probe.Result{Lines: []probe.Line{{Name: probe.Across, Outcome: probe.Fails, Detail: "1 of 2 fail", Finding: "CNI015"}}}
	closed := probe.Result{Lines: []probe.Line{{Name: probe.HostPort, Outcome: probe.Fails, Detail: "1 of 1 fail", Finding: "CNI030"}}}
	for name, c := range map[string]struct {
		result probe.Result
		err    error
		class  plan.Class
		fails  bool
		says   string
	}{
		"all arrive":                      {probe.Result{Lines: []probe.Line{{Name: probe.Across, Outcome: probe.Works}}}, nil, 0, false, ""},
		"packets are lost":                {lost, nil, plan.Broken, true, "fix: Open the overlay's port"},
		"a port of a host is a warning":   {closed, nil, 0, false, "lead to no pod with this network"},
		"no pod can be started, and said": {probe.Result{}, errors.New("attach is closed"), 0, false, "no packets were sent"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCNIBed()
			asked := 0
			prove := func(context.Context, plan.Report) (probe.Result, error) {
				asked++
				return c.result, c.err
			}
			err := b.run(t, cni.Request{}, cniFlags{prove: prove})
			if (err != nil) != c.fails || err != nil && plan.ClassOf(err) != c.class || !strings.Contains(b.errOut.String(), c.says) {
				t.Errorf("%v\n%s", err, b.errOut)
			}
			if err := b.run(t, cni.Request{}, cniFlags{prove: prove}); err != nil || asked != 1 {
				t.Errorf("a run that changes nothing: %v, packets were sent %d times in all", err, asked)
			}
		})
	}
}
