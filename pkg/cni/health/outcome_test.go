// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// atOneAddress are two nodes whose agents are well, and whose pods cannot reach
// each other.
func atOneAddress() []runtime.Object {
	wrong := func(n *corev1.Node) { n.Annotations["flannel.alpha.coreos.com/public-ip"] = "10.0.2.15" }
	return []runtime.Object{cnitest.Node("a", cnitest.Ready, wrong), cnitest.Node("b", cnitest.Ready, wrong), cnitest.Agents(),
		cnitest.Agent("a"), cnitest.Agent("b"), cnitest.CoreDNS(true)}
}

func TestWaitEndsWithWhatDoesNotPass(t *testing.T) {
	for name, c := range map[string]struct {
		objects   func() []runtime.Object
		unchanged bool
		class     plan.Class
		says      string
	}{
		"two nodes at one address, after an installation": {atOneAddress, false, plan.Broken, "2 nodes have flannel's public-ip 10.0.2.15"},
		"the same, where there was nothing to change":     {atOneAddress, true, plan.Found, "2 nodes have flannel's public-ip 10.0.2.15"},
		"a node that is never given a pod CIDR": {
			func() []runtime.Object {
				return []runtime.Object{cnitest.Node("a", cnitest.Ready), cnitest.Node("b", cnitest.Old, cnitest.Condition(corev1.ConditionFalse,
					"cni plugin not initialized", time.Hour)), cnitest.Agents(), cnitest.Agent("a"), cnitest.CoreDNS(true)}
			},
			false, plan.Broken, "node b: it cannot be served: it has no pod CIDR",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				target := flannel()
				target.Unchanged = c.unchanged
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := Wait(ctx, fake.NewClientset(c.objects()...), target, func(string, ...any) {})
				if plan.ClassOf(err) != c.class || !strings.Contains(fmt.Sprint(err), c.says) || plan.HintOf(err) == "" {
					t.Errorf("class %d: %v", plan.ClassOf(err), err)
				}
				if took := time.Since(start); took > 2*faultsLast {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
	t.Run("but not if the agents correct it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := fake.NewClientset(atOneAddress()...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			w := waitOn(ctx, client)
			time.Sleep(faultsLast / 2)
			replace(t, client, cnitest.Node("a", cnitest.Ready))
			time.Sleep(faultsLast)
			if !w.done() || w.err != nil {
				t.Errorf("not done, or %v", w.err)
			}
		})
	})
}

func TestDeadNodesHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		half := halfDNS()
		half.Spec.Replicas = new(int32(2))
		outdated := cnitest.Agents(func(s *appsv1.DaemonSet) { s.Status.DesiredNumberScheduled, s.Status.UpdatedNumberScheduled = 3, 2 })
		dead := cnitest.Node("c", cnitest.Old, cnitest.Condition(corev1.ConditionUnknown, "Kubelet stopped posting node status.", time.Second))
		client := fake.NewClientset(cnitest.Node("a", cnitest.Ready), cnitest.Node("b", cnitest.Ready), dead, outdated, cnitest.Agent("a"),
			cnitest.Agent("b"), half)
		v, err := look(t.Context(), client, flannel())
		if err != nil || len(v.gaps())+len(v.faults()) > 0 {
			t.Errorf("gaps %v, faults %v, %v", grouped(v.gaps()), grouped(v.faults()), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := Wait(ctx, client, flannel(), func(string, ...any) {}); err != nil {
			t.Error(err)
		}
		got, err := Look(t.Context(), client, flannel())
		if err != nil || fmt.Sprint(got.Unserved) != "[c (NotReady, its kubelet does not answer)]" {
			t.Errorf("%v, %v", got, err)
		}
	})
}
