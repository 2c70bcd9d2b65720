// SPDX-License-Identifier: Apache-2.0

package join

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func tainted(taints ...corev1.Taint) *corev1.Node {
	node := nodeNamed("w3", corev1.ConditionTrue, "")
	node.Spec.Taints = taints
	return node
}

func noSchedule(key string) corev1.Taint {
	return corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule}
}

func cordoned(node *corev1.Node) *corev1.Node {
	node.Spec.Unschedulable = true
	node.Spec.Taints = append(node.Spec.Taints, noSchedule("node.kubernetes.io/unschedulable"))
	return node
}

func byAnn(*corev1.Node) string { return "by ann at 2026-05-04T03:02:01Z: new\n\x1b[2Jdisks" }

func TestWhatKeepsPodsAwayFromANode(t *testing.T) {
	control := tainted(noSchedule(controlPlaneRole))
	control.Labels = map[string]string{controlPlaneRole: ""}
	for name, c := range map[string]struct {
		node   *corev1.Node
		want   []string
		hint   string
		passes bool
	}{
		"nothing on an ordinary node":                 {node: tainted()},
		"nothing of kubeadm's own on a control plane": {node: control},
		"a control plane's taint on a worker":         {node: tainted(noSchedule(controlPlaneRole)), want: []string{"on a node that is none"}, hint: "node-role.kubernetes.io/control-plane-"},
		"a wish keeps nothing away":                   {node: tainted(corev1.Taint{Key: "x", Effect: corev1.TaintEffectPreferNoSchedule})},
		"a cordon, with its note, and its taint only once": {
			node: cordoned(tainted()), want: []string{"node w3 is cordoned by ann at 2026-05-04T03:02:01Z: new [2Jdisks: it gets no new pods"}, hint: "kubectl lifecycle uncordon w3",
		},
		"a cloud that never comes": {
			node: tainted(corev1.Taint{Key: "node.cloudprovider.kubernetes.io/uninitialized", Value: "true", Effect: corev1.TaintEffectNoSchedule}),
			want: []string{"taint node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule keeps pods away from node w3: its kubelet runs with --cloud-provider=external"},
			hint: "/etc/default/kubelet", passes: true,
		},
		"Cilium's agent":              {node: tainted(noSchedule("node.cilium.io/agent-not-ready")), want: []string{"Cilium's agent"}, hint: "spec.nodeName=w3", passes: true},
		"the agent of a storage":      {node: tainted(noSchedule("ebs.csi.aws.com/agent-not-ready")), want: []string{"an agent on it"}, hint: "spec.nodeName=w3", passes: true},
		"a node that was given up":    {node: tainted(corev1.Taint{Key: "node.kubernetes.io/out-of-service", Effect: corev1.TaintEffectNoExecute}), want: []string{"given up as dead"}, hint: "kubectl taint nodes w3 node.kubernetes.io/out-of-service-"},
		"a full disk":                 {node: tainted(noSchedule("node.kubernetes.io/disk-pressure")), want: []string{"short of that resource"}, hint: "kubectl describe node w3", passes: true},
		"Kubernetes' own, for a time": {node: tainted(noSchedule("node.kubernetes.io/not-ready")), want: []string{"node-lifecycle-controller"}, hint: "kube-controller-manager", passes: true},
		"a Cluster API that is slow":  {node: tainted(noSchedule("node.cluster.x-k8s.io/uninitialized")), want: []string{"a controller has not set the node up"}, hint: "w3", passes: true},
		"anybody's, quoted":           {node: tainted(noSchedule("a;b")), want: []string{"that do not tolerate it"}, hint: "kubectl taint nodes w3 'a;b-'"},
		"several, each by itself":     {node: cordoned(tainted(noSchedule("gpu"))), want: []string{"is cordoned", "taint gpu:NoSchedule"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := barriers(c.node, byAnn)
			wantWarnings(t, warningsOf(got), c.want...)
			if len(got) > 0 && (got[0].passes != c.passes || !strings.Contains(got[0].Hint, c.hint)) {
				t.Errorf("%+v, want the hint %q", got[0], c.hint)
			}
		})
	}
}

func TestCheckName(t *testing.T) {
	down := cordoned(nodeNamed("down", corev1.ConditionUnknown, ""))
	down.Spec.Taints = append(down.Spec.Taints, noSchedule("node.kubernetes.io/unreachable"), noSchedule("gpu"))
	client := fake.NewClientset(nodeNamed("up", corev1.ConditionTrue, ""), down, nodeNamed("gone", corev1.ConditionUnknown, ""))
	tests := []struct {
		name, node string
		class      plan.Class
		wantErr    string
		warnings   []string
	}{
		{name: "no name is the host's own", node: ""},
		{name: "a free name is fine", node: "new"},
		{name: "what no node can be named is wrong usage", node: "No_Name", class: plan.Misused, wantErr: "no name for a node"},
		{name: "the name of a Ready node is refused", node: "up", class: plan.Refused, wantErr: "node up is in the cluster and Ready"},
		{name: "that of a dead node is a warning", node: "gone", warnings: []string{"take it over"}},
		{name: "with its cordon and its taints, but for those that pass", node: "down", warnings: []string{"take it over", "node down is cordoned by ann", "taint gpu:NoSchedule"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := CheckName(t.Context(), client, tt.node, byAnn)
			wantClass(t, err, tt.class, tt.wantErr)
			wantWarnings(t, got, tt.warnings...)
		})
	}
}

func TestFollowSaysThatAReadyNodeIsCordoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := cordoned(nodeNamed("w3", corev1.ConditionUnknown, "Kubelet stopped posting node status."))
		old.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour))
		r := ours(t)
		r.Note = byAnn
		b := follow(t, fake.NewClientset(old), r, time.Hour)
		b.makeCSR(csrOf(t, "csr-1", "w3", issued))
		if all := strings.Join(b.reports, "\n"); !strings.Contains(all, "node w3 is cordoned by ann") {
			t.Errorf("it did not say before that the node is cordoned: %s", all)
		}
		b.changeNode(cordoned(nodeNamed("w3", corev1.ConditionTrue, "")))
		b.last("host w3 is Ready, but node w3 is cordoned by ann")
		b.end(Ready, "")
		wantWarnings(t, b.arrival.Away, "node w3 is cordoned by ann")
	})
}

func TestFollowGivesOthersTimeToTakeTheirTaintsOff(t *testing.T) {
	const cloud = "node.cloudprovider.kubernetes.io/uninitialized"
	begin := func(t *testing.T, timeout time.Duration) *bed {
		t.Helper()
		b := follow(t, fake.NewClientset(), ours(t), timeout)
		b.makeCSR(csrOf(t, "csr-1", "w3", issued))
		b.makeNode(tainted(noSchedule(cloud), noSchedule("node.kubernetes.io/not-ready")))
		b.last("host w3 is Ready, but taint " + cloud)
		if b.done {
			t.Fatal("it did not wait for the taint to go")
		}
		return b
	}
	t.Run("and ends at once when they have", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := begin(t, time.Hour)
			b.changeNode(tainted())
			b.end(Ready, "")
			wantWarnings(t, b.arrival.Away)
		})
	})
	t.Run("and names what stays", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := begin(t, time.Hour)
			b.changeNode(tainted(noSchedule(cloud)))
			time.Sleep(untaintTimeout + heartbeat)
			b.end(Ready, "")
			wantWarnings(t, b.arrival.Away, "taint "+cloud)
		})
	})
	t.Run("but not beyond the end of its own time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := begin(t, untaintTimeout/2)
			time.Sleep(untaintTimeout / 2)
			b.end(Ready, "")
			wantWarnings(t, b.arrival.Away, "taint "+cloud, "node-lifecycle-controller")
		})
	})
}
