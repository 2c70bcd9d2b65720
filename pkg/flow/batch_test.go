// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func TestSeveralNodesAreRefusedTogether(t *testing.T) {
	sick := flowtest.Worker()
	sick.Name = "w2"
	sick.Status.NodeInfo.KubeletVersion = "v1.36.1+k3s1"
	cp1, cp2 := flowtest.ControlPlane("cp1", "192.0.2.1", true), flowtest.ControlPlane("cp2", "192.0.2.2", true)
	for name, tc := range map[string]struct {
		nodes   []string
		refusal string
		missing bool
	}{
		"one of them cannot be removed": {nodes: []string{"w1", "w2"}, refusal: "node w2: node w2 is a k3s node"},
		"none of them exists":           {nodes: []string{"a", "b"}, refusal: "node not found: a, b", missing: true},
	} {
		t.Run(name, func(t *testing.T) {
			client := flowtest.Permissive(t, nil, flowtest.Worker(), sick, flowtest.KubeadmConfig(), &cp1, &cp2)
			_, err := PrepareBatch(t.Context(), runner.Cluster{Client: client}, tc.nodes, Request{Drain: drain.DefaultOptions()})
			if plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), tc.refusal) ||
				errors.Is(err, kubenode.ErrNotFound) != tc.missing {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
			for _, a := range client.Actions() {
				if verb := a.GetVerb(); verb != "get" && verb != "list" && a.GetResource().Resource != "selfsubjectaccessreviews" {
					t.Errorf("it did %s %s", verb, a.GetResource().Resource)
				}
			}
		})
	}
}

func TestNodesThatAreGoneAreNamedAndTheOthersGoOn(t *testing.T) {
	client := flowtest.Permissive(t, nil, flowtest.Worker(), flowtest.KubeadmConfig())
	options := drain.DefaultOptions()
	options.MaxParallel = "50%"
	m, err := PrepareBatch(t.Context(), runner.Cluster{Client: client}, []string{"gone", "w1"}, Request{Drain: options})
	if err != nil || len(m.Missing) != 1 || m.Missing[0] != "gone" || len(m.Workers) != 1 || m.MaxParallel != 1 {
		t.Errorf("got %+v, %v", m, err)
	}
}

// hosts has the programs on hosts answer orders: each goes on as do says.
func hosts(client *fake.Clientset, do func(node string) (wire.Phase, map[string]string)) {
	gvr := corev1.SchemeGroupVersion.WithResource("secrets")
	client.PrependReactor("patch", "secrets", func(a clienttesting.Action) (bool, runtime.Object, error) {
		patch := a.(clienttesting.PatchAction)
		var change struct {
			StringData map[string]string `json:"stringData"`
		}
		_ = json.Unmarshal(patch.GetPatch(), &change)
		found, err := client.Tracker().Get(gvr, patch.GetNamespace(), patch.GetName())
		if err != nil {
			return true, nil, err
		}
		secret := found.(*corev1.Secret).DeepCopy()
		maps.Copy(secret.Data, bytesOf(change.StringData))
		switch order := wire.Order(change.StringData[wire.KeyOrder]); order {
		case wire.Go, wire.Retry:
			phase, more := do(string(secret.Data[wire.KeyNode]))
			delete(secret.Data, wire.KeyOrder)
			secret.Data[wire.KeyPhase] = []byte(phase)
			maps.Copy(secret.Data, bytesOf(more))
		case wire.Abort:
			secret.Data[wire.KeyPhase] = []byte(wire.Aborted)
		}
		return true, secret, client.Tracker().Update(gvr, secret, patch.GetNamespace())
	})
}

func bytesOf(data map[string]string) map[string][]byte {
	out := map[string][]byte{}
	for key, value := range data {
		out[key] = []byte(value)
	}
	return out
}

// batchOf are workers on whose hosts the program waits for the order to begin.
func batchOf(t *testing.T, names ...string) *fake.Clientset {
	t.Helper()
	objects := []runtime.Object{flowtest.KubeadmConfig()}
	for _, name := range names {
		node := flowtest.Worker()
		node.Name, node.UID = name, types.UID("uid of "+name)
		objects = append(objects, node, flowtest.Record(name, wire.Remove, wire.Ready, flowtest.With(wire.KeyNodeUID, string(node.UID))))
	}
	return flowtest.Permissive(t, nil, objects...)
}

func finished(string) (wire.Phase, map[string]string) {
	return wire.Finished, map[string]string{wire.KeyOutcome: `{"state":"clean"}`}
}

// table is what became of the nodes, as text.
func table(results []NodeResult) string {
	var out []string
	for _, r := range results {
		row := fmt.Sprintf("%s removed=%v", r.Node, r.Removed)
		if r.Error != "" {
			row += " error"
		}
		if r.Hint != "" {
			row += " hint"
		}
		out = append(out, row)
	}
	return strings.Join(out, "; ")
}

func TestABatchRemovesItsNodesInWaves(t *testing.T) {
	for name, tc := range map[string]struct {
		do       func(node string) (wire.Phase, map[string]string)
		parallel string
		want     string
		left     string
	}{
		"all are removed": {do: finished, parallel: "2", want: "w1 removed=true; w2 removed=true; w3 removed=true"},
		"a host that fails keeps no other": {do: func(node string) (wire.Phase, map[string]string) {
			if node == "w2" {
				return wire.Waiting, map[string]string{wire.KeyError: "a mount is busy"}
			}
			return finished(node)
		}, parallel: "2", want: "w1 removed=true; w2 removed=false error hint; w3 removed=true", left: "w2"},
		"one at a time": {do: finished, parallel: "1", want: "w1 removed=true; w2 removed=true; w3 removed=true"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := batchOf(t, "w1", "w2", "w3")
				hosts(client, tc.do)
				options := drain.DefaultOptions()
				options.MaxParallel = tc.parallel
				b, err := PrepareBatch(t.Context(), runner.Cluster{Client: client}, []string{"w1", "w2", "w3"}, Request{Drain: options})
				if err != nil {
					t.Fatal(err)
				}
				if got := table(b.Run(t.Context())); got != tc.want {
					t.Errorf("table %s\nwant  %s", got, tc.want)
				}
				if got := strings.Join(nodesOf(t, client), " "); got != tc.left {
					t.Errorf("nodes %q are left, want %q", got, tc.left)
				}
			})
		})
	}
}

func nodesOf(t *testing.T, client *fake.Clientset) (names []string) {
	t.Helper()
	list, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list.Items {
		names = append(names, n.Name)
	}
	return names
}

// Ctrl-C while the first wave is on its hosts: that goes on by itself, the second wave
// is not begun, and the same command again finishes all.
func TestABatchThatIsInterruptedIsFinishedByTheSameCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := batchOf(t, "w1", "w2")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hosts(client, func(node string) (wire.Phase, map[string]string) {
			if ctx.Err() == nil {
				time.AfterFunc(time.Second, cancel)
				return wire.Working, nil
			}
			return finished(node)
		})
		cluster, request := runner.Cluster{Client: client}, Request{Drain: drain.DefaultOptions()}
		b, err := PrepareBatch(ctx, cluster, []string{"w1", "w2"}, request)
		if err != nil {
			t.Fatal(err)
		}
		results := b.Run(ctx)
		if got := table(results); got != "w1 removed=false error hint; w2 removed=false hint" {
			t.Errorf("interrupted: %s", got)
		}
		if !strings.Contains(results[0].Hint, "runs follow w1") || !strings.Contains(results[1].Hint, "uncordon w2") {
			t.Errorf("hints %q and %q", results[0].Hint, results[1].Hint)
		}
		secret := flowtest.Record("w1", wire.Remove, wire.Finished, flowtest.With(wire.KeyNodeUID, "uid of w1"),
			flowtest.With(wire.KeyOutcome, `{"state":"clean"}`))
		_ = client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("secrets"), secret, secret.Namespace) // the host has gone on
		b, err = PrepareBatch(t.Context(), cluster, []string{"w1", "w2"}, request)
		if err != nil {
			t.Fatal(err)
		}
		if got := table(b.Run(t.Context())); got != "w1 removed=true; w2 removed=true" {
			t.Errorf("again: %s", got)
		}
		if left := nodesOf(t, client); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}
