// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// What a Node says of its machine its kubelet writes, and a host that lies may name any
// dead machine as its own. Its word alone is a doubt, which a person can settle; it is
// neither a proof of life nor nothing.
func TestAnotherNodesWordIsADoubtThatAPersonCanSettle(t *testing.T) {
	off, refused := statusText(503, unreached+"dial tcp 192.0.2.7:10250: connect: no route to host"),
		statusText(503, unreached+"dial tcp 192.0.2.7:10250: connect: connection refused")
	claims := func(name, ids string, addresses ...string) *corev1.Node {
		n := flowtest.Hardware(name, ids, addresses...)
		return &n
	}
	asleep := claims("liar", "m s b ", "192.0.2.7")
	asleep.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
	for name, tc := range map[string]struct {
		others []*corev1.Node
		code   int
		body   string
		// doubtful needs a person's word, alive outweighs it.
		doubtful, alive bool
		says            []string
	}{
		"no other Node says so":       {nil, 503, off, false, false, nil},
		"one that is silent, too":     {[]*corev1.Node{asleep}, 503, off, false, false, nil},
		"one that shares a copied id": {[]*corev1.Node{claims("clone", "m s2 b2 ", "192.0.2.8")}, 503, off, false, false, nil},
		"one that names all ids, while nothing is at the address": {[]*corev1.Node{claims("liar", "m s b ", "192.0.2.9")}, 503, off, true, false,
			[]string{"node liar reports the same machine id, the same system UUID, the same boot id"}},
		"one that names the address and the ids": {[]*corev1.Node{claims("liar", "m s b ", "192.0.2.7")}, 503, off, true, false,
			[]string{"node liar reports the same address 192.0.2.7"}},
		"one, while a machine without a kubelet is at the address": {[]*corev1.Node{claims("liar", "m s b ", "192.0.2.9")}, 503, refused, true,
			false, []string{"node liar reports", "192.0.2.7:10250"}},
		"two, of which both are named": {[]*corev1.Node{claims("liar", "m s b ", "192.0.2.9"), claims("other", "m s b ", "192.0.2.10")}, 503, off,
			true, false, []string{"node liar reports", "node other reports"}},
		"one, and a kubelet answers at the address": {[]*corev1.Node{claims("renamed", "m s b ", "192.0.2.7")}, 200, "ok", false, true,
			[]string{"it is node renamed now"}},
	} {
		for _, confirmed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, confirmed %v", name, confirmed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					node := flowtest.SilentNode()
					full := flowtest.Hardware("w1", "m s b ", "192.0.2.7")
					node.Status.NodeInfo, node.Status.Addresses = full.Status.NodeInfo, full.Status.Addresses
					client := flowtest.Permissive(t, nil, node, flowtest.KubeadmConfig())
					for _, other := range tc.others {
						if err := client.Tracker().Add(other); err != nil {
							t.Fatal(err)
						}
					}
					cluster := clusterOf(client, func(*http.Request) (*http.Response, error) { return text200(tc.code, tc.body), nil })
					seen, err := RequireDead(t.Context(), cluster, node, confirmed, quiet)
					refuses := tc.alive || tc.doubtful && !confirmed
					if (err != nil) != refuses || err != nil && (plan.ClassOf(err) != plan.Refused ||
						strings.Contains(plan.HintOf(err), "--confirm-host-off") == tc.alive) {
						t.Fatalf("%v, hint %q", err, plan.HintOf(err))
					}
					if (err == nil) && seen.WithoutKubelet != (tc.body == refused) {
						t.Errorf("without a kubelet: %v", seen.WithoutKubelet)
					}
					if (seen.Warning != "") != (tc.doubtful && confirmed) {
						t.Errorf("warning %q", seen.Warning)
					}
					for _, want := range tc.says {
						if said := fmt.Sprint(err, seen.Warning); !strings.Contains(said, want) && (confirmed || !strings.Contains(want, "10250")) {
							t.Errorf("%q does not say %q", said, want)
						}
					}
					// Without --node-lost the same Node is named, and the way out.
					if err := Unreachable(t.Context(), cluster, node); plan.HintOf(err) == "" || tc.doubtful &&
						!strings.Contains(err.Error(), "node liar reports") {
						t.Errorf("remove: %v", err)
					}
				})
			})
		}
	}
}
