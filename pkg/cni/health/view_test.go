// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
)

func waitingFor(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = nil
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "kube-flannel", Image: "ghcr.io/f:1",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
		}}
	}
}

func crashing(p *corev1.Pod) {
	waitingFor("CrashLoopBackOff", "back-off 10s")(p)
	p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}
}

// halfDNS is CoreDNS with one pod of two, enough for its condition.
func halfDNS() *appsv1.Deployment {
	d := cnitest.CoreDNS(true)
	d.Spec.Replicas = new(int32)
	*d.Spec.Replicas = 2
	return d
}

// flannel is what the tests wait for.
func flannel() Target {
	network, _ := catalogue.Find("flannel")
	return Target{Network: network, Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds"}
}

func TestGapsNameWhatIsMissing(t *testing.T) {
	// Each case replaces objects of a working cluster by kind and name.
	cases := map[string]struct {
		with    []runtime.Object
		without string
		want    []string
		see     string
	}{
		"nothing, when all is there": {},
		"no DaemonSet": {
			without: "set", want: []string{"agents: there is no daemonset kube-flannel/kube-flannel-ds"}, see: "describe daemonset kube-flannel-ds",
		},
		"a DaemonSet that its controller has not seen": {
			with: []runtime.Object{cnitest.Agents(func(s *appsv1.DaemonSet) { s.Generation = 2 })},
			want: []string{"agents: the daemonset controller has not seen the newest daemonset yet"},
		},
		"a DaemonSet that is being deleted": {
			with: []runtime.Object{cnitest.Agents(func(s *appsv1.DaemonSet) {
				now := metav1.Now()
				s.DeletionTimestamp, s.Finalizers = &now, []string{"foregroundDeletion"}
			})},
			want: []string{"agents: daemonset kube-flannel/kube-flannel-ds is being deleted"},
		},
		"agents of the version before": {
			with: []runtime.Object{cnitest.Agents(func(s *appsv1.DaemonSet) { s.Status.UpdatedNumberScheduled = 1 })},
			want: []string{"agents: 1 of 2 are still of the version before"},
		},
		"no pod for a node": {without: "agent-b", want: []string{"agent on b: no pod has been made for it yet"}},
		"an agent that is going away is none": {
			with: []runtime.Object{cnitest.Agent("b", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} })},
			want: []string{"agent on b: no pod has been made for it yet"},
		},
		"a pod of somebody else is none": {
			with: []runtime.Object{cnitest.Agent("b", func(p *corev1.Pod) { p.OwnerReferences[0].UID = "other" })},
			want: []string{"agent on b: no pod has been made for it yet"},
		},
		"an agent that finds no room, by the node it is meant for": {
			with: []runtime.Object{cnitest.Agent("b", func(p *corev1.Pod) {
				p.Spec.NodeName = ""
				name := corev1.NodeSelectorRequirement{Key: "metadata.name", Operator: "In", Values: []string{"b"}}
				meant := corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{name}}}}
				p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &meant}}
				p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
					Message: "0/2 nodes: Insufficient cpu"}}
			})},
			want: []string{"agent on b: not scheduled: 0/2 nodes: Insufficient cpu"}, see: "kubectl -n kube-flannel describe pod agent-b",
		},
		"an image that cannot be pulled": {
			with: []runtime.Object{
				cnitest.Agent("a", waitingFor("ErrImagePull",
					`failed to pull and unpack image "x": failed to resolve reference "x": failed to do request: `+
						`Head "https://x/": dial tcp: no such host`)),
				cnitest.Agent("b", waitingFor("ImagePullBackOff",
					"Back-off pulling image \"x\": ErrImagePull: failed to pull and unpack image \"x\":\n failed to resolve reference \"x\": failed to "+
						"do request: Head \"https://x/\": dial tcp: no such host")),
			},
			want: []string{"agent on a, b: cannot pull image ghcr.io/f:1: dial tcp: no such host"},
		},
		"an image that is not there": {
			with: []runtime.Object{cnitest.Agent("a",
				waitingFor("ErrImagePull", `failed to pull and unpack image "x": failed to resolve reference "x": x: not found`))},
			want: []string{"agent on a: cannot pull image ghcr.io/f:1: x: not found"},
		},
		"a container that crashes": {
			with: []runtime.Object{cnitest.Agent("a", crashing)}, want: []string{"agent on a: container kube-flannel crashes (exit code 1)"},
		},
		"a container that cannot be made": {
			with: []runtime.Object{cnitest.Agent("a", waitingFor("CreateContainerConfigError", "no configmap"))},
			want: []string{"agent on a: container kube-flannel: CreateContainerConfigError: no configmap"},
		},
		"an agent that ends, even well": {
			with: []runtime.Object{cnitest.Agent("a", waitingFor("", ""), func(p *corev1.Pod) {
				p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}
			})},
			want: []string{"agent on a: container kube-flannel crashes (exit code 0, Completed)"},
		},
		"a preparation that has ended well is no gap of its own": {
			with: []runtime.Object{cnitest.Agent("a", waitingFor("PodInitializing", ""), func(p *corev1.Pod) {
				ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
				p.Status.InitContainerStatuses = []corev1.ContainerStatus{{State: ended}}
			})},
			want: []string{"agent on a: starting"},
		},
		"an agent that begins": {
			with: []runtime.Object{cnitest.Agent("a", waitingFor("PodInitializing", ""))}, want: []string{"agent on a: starting"},
		},
		"a ready agent that has not told the others of itself": {
			with: []runtime.Object{cnitest.Node("a", cnitest.Ready, func(n *corev1.Node) { n.Annotations = nil })},
			want: []string{"agent on a: no annotation flannel.alpha.coreos.com/kube-subnet-manager yet"}, see: "kubectl -n kube-flannel logs " +
				"agent-a",
		},
		"nodes that are not Ready, together": {
			with: []runtime.Object{cnitest.Node("a", cnitest.Ready, notReady("cni plugin not initialized")),
				cnitest.Node("b", cnitest.Ready, notReady("container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "+
					"message:cni plugin not initialized"))},
			want: []string{"node a, b: not Ready: cni plugin not initialized"}, see: "kubectl describe node a",
		},
		"a node without network by its condition": {
			with: []runtime.Object{cnitest.Node("a", cnitest.Ready, func(n *corev1.Node) {
				n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{Type: corev1.NodeNetworkUnavailable,
					Status: corev1.ConditionTrue})
			})},
			want: []string{"node a: its condition NetworkUnavailable is true"},
		},
		"a Windows node is not waited for": {
			with: []runtime.Object{cnitest.Node("w", func(n *corev1.Node) { n.Labels[corev1.LabelOSStable] = "windows" })},
		},
		"CoreDNS": {with: []runtime.Object{cnitest.CoreDNS(false)}, want: []string{"CoreDNS: deployment coredns has 0 of 1 pods available"}},
		"one of two pods of CoreDNS, which its own condition calls available": {
			with: []runtime.Object{halfDNS()}, want: []string{"CoreDNS: deployment coredns has 1 of 2 pods available"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gaps := viewOf(c.with, c.without).gaps()
			if got, want := fmt.Sprint(grouped(gaps)), fmt.Sprint(c.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if c.see != "" && !strings.Contains(gaps[0].see, c.see) {
				t.Errorf("look at %q, want %q", gaps[0].see, c.see)
			}
		})
	}
}

func notReady(message string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Message: message}}
	}
}

// viewOf is a working cluster with objects replaced, or one left out.
func viewOf(with []runtime.Object, without string) view {
	v := view{target: flannel()}
	objects := map[string]runtime.Object{}
	for _, o := range append(cnitest.Working(), with...) {
		switch o := o.(type) {
		case *corev1.Node:
			objects["node "+o.Name] = o
		case *corev1.Pod:
			objects[o.Name] = o
		case *appsv1.DaemonSet:
			objects["set"] = o
		case *appsv1.Deployment:
			objects["dns"] = o
		}
	}
	delete(objects, without)
	for _, o := range objects {
		switch o := o.(type) {
		case *corev1.Node:
			v.nodes = append(v.nodes, o)
		case *corev1.Pod:
			v.pods = append(v.pods, o)
		case *appsv1.DaemonSet:
			v.agents = o
		case *appsv1.Deployment:
			v.dns = append(v.dns, o)
		}
	}
	return v
}

func TestGroupedNamesFewOfMany(t *testing.T) {
	var gaps []gap
	for i := range 5 {
		gaps = append(gaps, gap{kind: ofNode, name: fmt.Sprintf("n%d", i), why: "not Ready"})
	}
	if got := fmt.Sprint(grouped(gaps)); got != "[node n0, n1, n2, 2 more: not Ready]" {
		t.Error(got)
	}
}
