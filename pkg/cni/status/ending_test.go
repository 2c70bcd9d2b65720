// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
)

func TestWhatIsBeingDeletedIsTheReasonOfMissingAgents(t *testing.T) {
	now := metav1.Now()
	namespace := func(change ...func(*corev1.Namespace)) *corev1.Namespace {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-flannel", DeletionTimestamp: &now},
			Spec: corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{"kubernetes"}},
			Status: corev1.NamespaceStatus{Conditions: []corev1.NamespaceCondition{
				{Type: "NamespaceDeletionContentFailure", Status: corev1.ConditionFalse, Message: "all deleted"},
				{Type: "NamespaceFinalizersRemaining", Status: corev1.ConditionTrue, Message: "finalizers remaining:\nhunt.example.com/x\x1b[2J"}}}}
		for _, c := range change {
			c(ns)
		}
		return ns
	}
	leaving := func(d *appsv1.DaemonSet) { d.DeletionTimestamp, d.Finalizers = &now, []string{"foregroundDeletion"} }
	node := cnitest.Node("a", cnitest.Ready, cnitest.Old, cidrOfA)
	for name, c := range map[string]struct {
		objects      []runtime.Object
		reason, says string
	}{
		"the namespace, with the agents in it": {[]runtime.Object{node, cnitest.Agents(leaving), namespace()},
			"no agent is made for it: namespace kube-flannel is being deleted",
			"CNI033 error: namespace kube-flannel is being deleted: no agent of flannel is made there (finalizers remaining: hunt.example.com/x"},
		"the namespace, after its agents": {[]runtime.Object{node, namespace()},
			"no agent is made for it: namespace kube-flannel is being deleted", "namespace kube-flannel is being deleted"},
		"the DaemonSet alone": {[]runtime.Object{node, cnitest.Agents(leaving),
			namespace(func(ns *corev1.Namespace) { ns.DeletionTimestamp = nil })},
			"no agent is made for it: daemonset kube-flannel/kube-flannel-ds is being deleted",
			"daemonset kube-flannel/kube-flannel-ds is being deleted: no agent of flannel is made there (its finalizers: foregroundDeletion)"},
		"another namespace": {[]runtime.Object{node, cnitest.Agents(), namespace(func(ns *corev1.Namespace) { ns.Name = "shop" })},
			"no agent was made for it", ""},
		"nothing": {[]runtime.Object{node, cnitest.Agents(), namespace(func(ns *corev1.Namespace) { ns.DeletionTimestamp = nil })},
			"no agent was made for it", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := statusOf(t, fake.NewClientset(c.objects...))
			if s.Works || s.Nodes[0].Reason != c.reason {
				t.Errorf("works %v, %q", s.Works, s.Nodes[0].Reason)
			}
			said := ""
			for _, f := range s.Findings {
				if f.ID == "CNI033" {
					said = f.String()
					if !strings.Contains(f.Cure, "kubectl lifecycle cni install flannel") {
						t.Errorf("the way out is %q", f.Cure)
					}
				}
			}
			if (said == "") != (c.says == "") || !strings.Contains(said, c.says) || strings.ContainsAny(said, "\n\x1b") {
				t.Errorf("it says %q", said)
			}
		})
	}
}

func TestANamespaceThatMayNotBeReadIsNoFinding(t *testing.T) {
	client := fake.NewClientset(objects()...)
	client.PrependReactor("get", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "", errors.New("no"))
	})
	if s := statusOf(t, client); !s.Works || len(s.Findings) > 0 {
		t.Errorf("%v", s.Findings)
	}
}
