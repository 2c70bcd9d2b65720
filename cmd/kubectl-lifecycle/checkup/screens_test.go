// SPDX-License-Identifier: Apache-2.0

package checkup

import (
	"flag"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/screentest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/doctor"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

var update = flag.Bool("update", false, "write the golden files of screens")

// TestScreensOfACheckup has what doctor and explain show.
func TestScreensOfACheckup(t *testing.T) {
	tell := func(name, output string, changes ...func(*doctor.Seen)) screentest.Screen {
		return screentest.Screen{Name: name, Show: screentest.Still(func(_ *testing.T, e *env.Env) error {
			s := seen()
			for _, change := range changes {
				change(&s)
			}
			return commands{e}.tell(output, doctor.Examine(s))
		})}
	}
	forbidden := func(s *doctor.Seen) {
		s.Unread["runs"] = `list run records in kube-system: secrets is forbidden: User "ann" cannot list resource "secrets" in API group "" in ` +
			`the namespace "kube-system"`
	}
	family := screentest.Family(Commands)
	screentest.Compare(t, *update, []screentest.Screen{
		tell("doctor", "", trouble), tell("doctor-wide", "wide", trouble), tell("doctor-well", ""), tell("doctor-names", "name", trouble),
		tell("doctor-not-read", "", forbidden),
		family.Line("explain", nil, "explain"), family.Line("explain-one", nil, "explain", "NODE001"),
		family.Line("explain-unknown", nil, "explain", "NODE999"), family.Line("doctor-unknown-format", nil, "doctor", "-o", "xml"),
	})
}

// seen is a cluster of a control plane and three workers that is well.
func seen() doctor.Seen {
	s := doctor.Seen{At: screentest.Now(), Server: "v1.36.3", Unread: map[string]string{}}
	for _, name := range []string{"cp-1", "worker-1", "worker-2", "worker-3"} {
		s.Nodes = append(s.Nodes, *screentest.Node(name))
	}
	s.Nodes[0].Spec.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}
	for _, component := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"} {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: component + "-cp-1", Labels: map[string]string{"component": component}}}
		p.Spec.NodeName = "cp-1"
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		s.System = append(s.System, p)
	}
	for _, name := range []string{"apiserver-a", "kube-scheduler", "kube-controller-manager"} {
		at := metav1.NewMicroTime(screentest.Now().Add(-2 * time.Second))
		l := coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}},
			Spec: coordinationv1.LeaseSpec{RenewTime: &at}}
		if name == "apiserver-a" {
			l.Labels["apiserver.kubernetes.io/identity"] = "kube-apiserver"
		}
		s.Leases = append(s.Leases, l)
	}
	s.Network.DNS = facts.DNS{Name: "coredns", Desired: 2, Available: 2}
	s.Network.Proxy.Present = true
	s.Network.Networks = []facts.Network{{CNI: "flannel", Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds", Release: "flannel",
		ReleaseNamespace: "kube-flannel"}}
	return s
}

// trouble is what is wrong with a cluster, of many kinds.
func trouble(s *doctor.Seen) {
	s.Nodes[1].Spec.Unschedulable = true
	s.Nodes[1].Annotations = map[string]string{drain.NoteAnnotation: `{"by":"bob@desk","at":"2026-03-04T04:00:00Z","reason":"new disks"}`}
	s.Nodes[2].Status.Conditions[0] = corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionFalse,
		Reason: "KubeletNotReady", Message: "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady " +
			"message:Network plugin returns error: " +
			"cni plugin not initialized"}
	screentest.Silent(&s.Nodes[3])
	s.System[2].Status.Conditions[0].Status = corev1.ConditionFalse
	ends := screentest.Now().Add(20 * 24 * time.Hour)
	s.Certificates.Rows = []certs.Row{certs.Row{Node: "cp-1", Name: "apiserver", CA: "ca", ManagedBy: certs.ByKubeadm,
		Where: "/etc/kubernetes/pki/apiserver.crt"}.Of(certs.Certificate{NotAfter: ends})}
	certs.Judge(s.Certificates.Rows, screentest.Now(), certs.Limits{Warn: 30 * 24 * time.Hour})
	s.Certificates.Unseen = []certs.Unseen{{What: "the kubelet of worker-3", Why: "it does not answer: dial tcp 192.0.2.3:10250: i/o timeout"}}
	s.Tokens = []bootstrap.Listed{{ID: "abcdef", Foreign: true, Created: screentest.Now().Add(-24 * time.Hour)}}
	s.Records = []runner.Record{{Namespace: "kube-system", Name: "lifecycle-worker-3", State: wire.State{Node: "worker-3",
		Operation: wire.Remove, Phase: wire.Waiting, Who: "bob@desk", Since: screentest.Now().Add(-time.Hour),
		Error: "unmount what is mounted for pods: /var/lib/kubelet/pods/6f0e7a8e/volumes/data: device or resource busy"}}}
}
