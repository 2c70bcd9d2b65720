// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// runOf is the record of a run.
func runOf(op wire.Operation, phase wire.Phase, terms string, order wire.Order) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: runner.NameFor("w1"), Namespace: runner.DefaultNamespace, UID: "1",
			Labels: map[string]string{runner.Label: string(op)}},
		Data: map[string][]byte{wire.KeyOperation: []byte(op), wire.KeyNode: []byte("w1"), wire.KeyPhase: []byte(phase),
			wire.KeyTerms: []byte(terms),
			wire.KeyOrder: []byte(order), wire.KeyCordoned: []byte("true"), wire.KeySince: []byte("2026-01-02T03:04:05Z")},
	}
}

// A run that was begun with --firewall=flush flushes, whatever the command says that
// takes it up, and whatever plan that shows.
func TestARunIsNotTakenUpWithOtherChoices(t *testing.T) {
	const careful, flush = "no choices; keeping 0 paths (cbf29ce484222325)", "--firewall=flush --delete-host-data; keeping 3 paths (1)"
	for _, tc := range []struct {
		name, told string
		phase      wire.Phase
		order      wire.Order
		choices    inventory.Choices
		refused    bool
	}{
		{"more was chosen before", flush, wire.Waiting, "", inventory.Choices{}, true},
		{"more is chosen now", careful, wire.Working, "", inventory.Choices{Firewall: inventory.FirewallFlush}, true},
		{"it was told to begin, and has not heard yet", flush, wire.Ready, wire.Go, inventory.Choices{}, true},
		{"the same", flush, wire.Working, "", inventory.Choices{Firewall: inventory.FirewallFlush, DeleteHostData: true}, false},
		{"the usual, which was said now", careful, wire.Waiting, "", inventory.Choices{Firewall: inventory.FirewallOwned}, false},
		{"a program that waits for the order is told anew", flush, wire.Ready, "", inventory.Choices{}, false},
		{"what is over is over", flush, wire.Finished, "", inventory.Choices{}, false},
		{"an older version noted nothing", "", wire.Working, "", inventory.Choices{NoBackup: true}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := flowtest.Permissive(t, nil, flowtest.Worker(), flowtest.KubeadmConfig(), runOf(wire.Remove, tc.phase, tc.told, tc.order))
			_, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", Request{Drain: drain.DefaultOptions(), Choices: tc.choices})
			refused := plan.ClassOf(err) == plan.Refused && strings.Contains(err.Error(), "was begun with other choices") &&
				strings.Contains(plan.HintOf(err), "runs abort w1")
			if refused != tc.refused || err != nil && !tc.refused {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}

// A host on its way to one cluster does not go to another because somebody says so.
func TestAMoveIsNotTakenUpToAnotherCluster(t *testing.T) {
	for terms, refused := range map[string]bool{"no choices to here:6443; keeping 0 paths (1)": false,
		"no choices to elsewhere:6443; keeping 0 paths (1)": true} {
		p := &moveTarget{to: Destination{Name: "there", Client: flowtest.Permissive(t, nil)}, node: "w1",
			about: join.Cluster{Endpoint: "here:6443"}}
		for what, act := range map[string]func(*Move) error{
			"its node is there": func(m *Move) error { return m.takeUp(t.Context()) },
			"its node has left": func(m *Move) error { return m.prepareGone(t.Context(), kubenode.ErrNotFound) },
		} {
			secret := runOf(wire.Move, wire.Working, terms, "")
			if strings.Contains(what, "left") {
				secret.Data[wire.KeyPhase], secret.Data[wire.KeyOutcome] = []byte(wire.Finished), []byte(`{"verdict":{"state":"clean"}}`)
			}
			m := &Move{Removal: newRemoval(runner.Cluster{Client: flowtest.Permissive(t, nil, secret)}, Request{}, p.operation()), target: p}
			m.Node = flowtest.Worker()
			if err := act(m); (plan.ClassOf(err) == plan.Refused) != refused || refused != strings.Contains(plan.HintOf(err), "runs abort w1") {
				t.Errorf("%s, %s: %v", what, terms, err)
			}
		}
	}
}

// A program that waits for its order and was told something else, be it only of which
// data stays, has changed nothing: it is sent home.
func TestAProgramThatWasToldOtherwiseIsSentHomeBeforeItBegins(t *testing.T) {
	for told, home := range map[string]bool{"no choices; keeping 0 paths (cbf29ce484222325)": false, "no choices; keeping 1 paths (1)": true,
		"--no-backup; keeping 0 paths (cbf29ce484222325)": true, "": false} {
		secret := runOf(wire.Remove, wire.Ready, told, "")
		client := flowtest.Permissive(t, nil, secret)
		client.PrependReactor("patch", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { // the program obeys
			gone := secret.DeepCopy()
			gone.Data[wire.KeyPhase] = []byte(wire.Aborted)
			return true, gone, client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("secrets"), gone, gone.Namespace)
		})
		r := newRemoval(runner.Cluster{Client: client}, Request{}, removal())
		r.Node, r.Resumes = flowtest.Worker(), &runner.Record{}
		cordoned, err := r.beginAgain(t.Context(), func(string, ...any) {})
		_, held, getErr := runner.Get(t.Context(), r.cluster, "w1")
		if err != nil || getErr != nil || held == home || cordoned != home {
			t.Errorf("%q: cordoned %v, held %v, %v, %v", told, cordoned, held, err, getErr)
		}
	}
}
