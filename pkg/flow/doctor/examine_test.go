// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netswitch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

const planeLabel = "node-role.kubernetes.io/control-plane"

// now is when these clusters were read.
func now() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

// node is one that is Ready, with a kubelet of a version.
func node(name, kubelet string, change ...func(*corev1.Node)) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}, Annotations: map[string]string{}}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	n.Status.NodeInfo.KubeletVersion = kubelet
	for _, c := range change {
		c(&n)
	}
	return n
}

func plane(n *corev1.Node) {
	n.Labels[planeLabel] = ""
	n.Spec.Taints = []corev1.Taint{{Key: planeLabel, Effect: corev1.TaintEffectNoSchedule}}
}

func ready(status corev1.ConditionStatus, message string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Status.Conditions[0].Status, n.Status.Conditions[0].Message = status, message }
}

// static is a static pod of a component on a node.
func static(component, on string, isReady bool) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: component + "-" + on, Labels: map[string]string{"component": component}}}
	p.Spec.NodeName = on
	status := corev1.ConditionFalse
	if isReady {
		status = corev1.ConditionTrue
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
	return p
}

// planeOf are all static pods of some control planes.
func planeOf(names ...string) (pods []corev1.Pod) {
	for _, name := range names {
		for _, component := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"} {
			pods = append(pods, static(component, name, true))
		}
	}
	return pods
}

func lease(name string, ago time.Duration) coordinationv1.Lease {
	l := coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	at := metav1.NewMicroTime(now().Add(-ago))
	l.Spec.RenewTime = &at
	if strings.HasPrefix(name, "apiserver-") {
		l.Labels["apiserver.kubernetes.io/identity"] = "kube-apiserver"
	}
	return l
}

// well is a cluster in which nothing is to be found.
func well() Seen {
	s := Seen{At: now(), Server: "v1.36.3", Unread: map[string]string{},
		Nodes:  []corev1.Node{node("cp", "v1.36.3", plane), node("w", "v1.36.3")},
		System: planeOf("cp"),
		Leases: []coordinationv1.Lease{lease("apiserver-a", 3*time.Second), lease("kube-scheduler", time.Second),
			lease("kube-controller-manager", 0)}}
	s.Network.DNS = facts.DNS{Name: "coredns", Desired: 2, Available: 2}
	s.Network.Proxy.Present = true
	s.Network.Networks = []facts.Network{{CNI: "flannel", Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds", Release: "flannel",
		ReleaseNamespace: "kube-flannel"}}
	return s
}

func TestEveryFaultIsNamedByItsIDAndNothingElseIs(t *testing.T) {
	ended := now().Add(-time.Hour)
	pod := func(name string, age time.Duration) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system", CreationTimestamp: metav1.NewTime(now().Add(-age))}}
		p.Spec.NodeName = "w"
		return p
	}
	record := func(phase wire.Phase) runner.Record {
		return runner.Record{Namespace: "kube-system", Name: "lifecycle-w",
			State: wire.State{Node: "w", Operation: wire.Remove, Phase: phase, Error: "disk"}}
	}
	noted := func(n *corev1.Node) { n.Spec.Unschedulable, n.Annotations[drain.NoteAnnotation] = true, `{"by":"ann"}` }
	for name, c := range map[string]struct {
		fault func(*Seen)
		want  string // ids
	}{
		"nothing is wrong": {func(*Seen) {}, ""},
		"a kubelet is silent": {func(s *Seen) {
			s.Nodes[1] = node("w", "v1.36.3", ready(corev1.ConditionUnknown, "stopped posting"))
		}, "NODE001"},
		"a node has no network": {func(s *Seen) {
			s.Nodes[1] = node("w", "v1.36.3", ready(corev1.ConditionFalse, "cni plugin not initialized"))
		}, "NODE002"},
		"a kubelet has never reported": {func(s *Seen) { s.Nodes[1].Status.Conditions = nil }, "NODE002"},
		"a disk is full": {func(s *Seen) {
			s.Nodes[1].Status.Conditions = append(s.Nodes[1].Status.Conditions, corev1.NodeCondition{Type: corev1.NodeDiskPressure, Status: "True"})
		}, "NODE003"},
		"one machine that takes no pods": {func(s *Seen) { s.Nodes = s.Nodes[:1] }, "NODE004"},
		"another client has cordoned":    {func(s *Seen) { s.Nodes[1].Spec.Unschedulable = true }, "NODE005"},
		"this tool has cordoned":         {func(s *Seen) { s.Nodes[1] = node("w", "v1.36.3", noted) }, "RUN005"},
		"a kubelet is newer": {func(s *Seen) {
			s.Nodes[1] = node("w", "v1.37.0", plane)
		}, "API002 API002 API002 API002 NODE004 SKEW001"},
		"a kubelet is three minors behind": {func(s *Seen) { s.Nodes[1] = node("w", "v1.33.9") }, ""},
		"a kubelet is four minors behind":  {func(s *Seen) { s.Nodes[1] = node("w", "v1.32.0") }, "SKEW002"},
		"the scheduler crashes":            {func(s *Seen) { s.System[2] = static("kube-scheduler", "cp", false) }, "API001"},
		"the scheduler is not there":       {func(s *Seen) { s.System = slices.Delete(s.System, 2, 3) }, "API002"},
		"a pod that only carries the label": {func(s *Seen) {
			s.System = append(s.System, static("kube-scheduler", "w", false))
			s.System[4].Name = "x"
		}, ""},
		"etcd is outside of the cluster":          {func(s *Seen) { s.System = s.System[:3] }, ""},
		"another distribution has no static pods": {func(s *Seen) { s.System = nil }, ""},
		"no controller manager leads": {func(s *Seen) {
			s.Leases[2] = lease("kube-controller-manager", 2*time.Minute)
		}, "API003"},
		"all leases are old by our clock":  {func(s *Seen) { s.Leases = s.Leases[1:] }, ""},
		"the API server's own check fails": {func(s *Seen) { s.Unready = []string{"etcd failed: reason withheld"} }, "API004"},
		"one of three members is down": {func(s *Seen) {
			s.Nodes = append(s.Nodes, node("cp2", "v1.36.3", plane), node("cp3", "v1.36.3", plane, ready(corev1.ConditionUnknown, "")))
			s.System = planeOf("cp", "cp2", "cp3")
		}, "ETCD001 NODE001"},
		"two members": {func(s *Seen) {
			s.Nodes = append(s.Nodes, node("cp2", "v1.36.3", plane))
			s.System = planeOf("cp", "cp2")
		}, "ETCD002"},
		"no network":     {func(s *Seen) { s.Network.Networks = nil }, "NET001"},
		"no CoreDNS":     {func(s *Seen) { s.Network.DNS = facts.DNS{} }, "DNS001"},
		"CoreDNS is off": {func(s *Seen) { s.Network.DNS.Desired, s.Network.DNS.Available = 0, 0 }, "CNI029"},
		"certificates of every kind": {func(s *Seen) {
			s.Certificates.Rows = []certs.Row{{Name: "a", Status: certs.Expired, Expires: &ended}, {Name: "b", Status: certs.Critical},
				{Name: "c", Status: certs.Wrong},
				{Name: "d", Status: certs.Pending}, {Name: "e", Status: certs.OK}, {Name: "f", Status: certs.Absent}, {Name: "g", Status: certs.Stale}}
		}, "CERT001 CERT002 CERT003 CERT003 CERT004"},
		"tokens": {func(s *Seen) {
			s.Tokens = []bootstrap.Listed{{ID: "aaaaaa", Unfit: "it has expired"}, {ID: "bbbbbb"}, {ID: "cccccc", Expires: now().Add(time.Hour)}}
		}, "TOKEN001 TOKEN002"},
		"a run waits": {func(s *Seen) { s.Records = []runner.Record{record(wire.Waiting)} }, "RUN001"},
		"a run works": {func(s *Seen) { s.Records = []runner.Record{record(wire.Working)} }, "RUN002"},
		"a run that cordoned works": {func(s *Seen) {
			s.Records, s.Nodes[1] = []runner.Record{record(wire.Working)}, node("w", "v1.36.3", noted)
		}, "RUN002"},
		"a damaged record": {func(s *Seen) { s.Records = []runner.Record{{Name: "lifecycle-x", Damaged: errors.New("bad")}} }, "RUN003"},
		"an old pod":       {func(s *Seen) { s.RunPods = []corev1.Pod{pod("lifecycle-w-look", 2*time.Hour)} }, "RUN004"},
		"a pod at work":    {func(s *Seen) { s.RunPods = []corev1.Pod{pod("lifecycle-w-look", time.Minute)} }, ""},
		"an old pod of a run": {func(s *Seen) {
			s.RunPods, s.Records = []corev1.Pod{pod("lifecycle-w", 2*time.Hour)}, []runner.Record{record(wire.Working)}
		}, "RUN002"},
		"the control planes are held": {func(s *Seen) { s.Held = "certificates are renewed by ann" }, "RUN006"},
		"a switch was interrupted":    {func(s *Seen) { s.Switch = &netswitch.State{From: "flannel", To: "cilium"} }, "RUN007"},
		"what was not read is no finding": {func(s *Seen) {
			s.Unread[partTokens], s.Tokens = "forbidden", []bootstrap.Listed{{ID: "bbbbbb"}}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := well()
			c.fault(&s)
			r := Examine(s)
			var ids []string
			bad := len(s.Unread) > 0
			for _, f := range r.Findings {
				ids = append(ids, f.ID)
				bad = bad || f.Severity != "note"
				if f.What == "" || f.Evidence == "" || f.Cure == "" {
					t.Errorf("something is missing: %+v", f)
				}
				if _, err := Explain(f.ID); err != nil {
					t.Error(err)
				}
			}
			slices.Sort(ids)
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("got %q, want %q: %v", got, c.want, r.Findings)
			}
			if r.Healthy == bad {
				t.Errorf("healthy: %t, %v", r.Healthy, r.Findings)
			}
		})
	}
}

// Of every id that can be found there is an explanation, with all that a person needs.
func TestEveryIDIsExplainedWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Explanations() {
		if seen[e.ID] || e.Title == "" || e.Cause == "" || len(e.See) == 0 || e.Cure == "" || len(e.Sources) == 0 {
			t.Errorf("%+v", e)
		}
		seen[e.ID] = true
	}
	if len(seen) < 60 {
		t.Errorf("%d ids", len(seen))
	}
	if one, err := Explain("node001"); err != nil || one.ID != "NODE001" {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := Explain("NODE999"); plan.ClassOf(err) != plan.Misused || plan.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}
