// SPDX-License-Identifier: Apache-2.0

package scheduling

import (
	"fmt"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// roomyNode has room for ten pods, and a zone of its own name's first letter.
func roomyNode(name, cpu string, options ...func(*corev1.Node)) corev1.Node {
	node := kubetest.Node(name)
	node.Labels = map[string]string{corev1.LabelHostname: name, corev1.LabelTopologyZone: name[:1]}
	node.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("8Gi"),
		corev1.ResourcePods: resource.MustParse("10"),
	}
	for _, option := range options {
		option(node)
	}
	return *node
}

func tainted(key string, effect corev1.TaintEffect) func(*corev1.Node) {
	return func(node *corev1.Node) {
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: key, Effect: effect})
	}
}

func offers(name, amount string) func(*corev1.Node) {
	return func(node *corev1.Node) {
		node.Status.Allocatable[corev1.ResourceName(name)] = resource.MustParse(amount)
	}
}

func asking(name, amount string) kubetest.PodOption {
	return func(pod *corev1.Pod) {
		if len(pod.Spec.Containers) == 0 {
			pod.Spec.Containers = []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{}}}}
		}
		pod.Spec.Containers[0].Resources.Requests[corev1.ResourceName(name)] = resource.MustParse(amount)
	}
}

func tolerating(key string) kubetest.PodOption {
	return func(pod *corev1.Pod) {
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists})
	}
}

func onPort(port int32) kubetest.PodOption {
	return func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers,
			corev1.Container{Name: "port", Ports: []corev1.ContainerPort{{HostPort: port, ContainerPort: port}}})
	}
}

func term(key, app string) corev1.PodAffinityTerm {
	return corev1.PodAffinityTerm{TopologyKey: key, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}}
}

func apartFrom(key, app string) kubetest.PodOption {
	return func(pod *corev1.Pod) {
		terms := []corev1.PodAffinityTerm{term(key, app)}
		pod.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}}
	}
}

func besides(key, app string) kubetest.PodOption {
	return func(pod *corev1.Pod) {
		terms := []corev1.PodAffinityTerm{term(key, app)}
		pod.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}}
	}
}

func spreadOver(key string, change ...func(*corev1.TopologySpreadConstraint)) kubetest.PodOption {
	return func(pod *corev1.Pod) {
		c := corev1.TopologySpreadConstraint{
			TopologyKey: key, MaxSkew: 1, WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		}
		for _, change := range change {
			change(&c)
		}
		pod.Spec.TopologySpreadConstraints = append(pod.Spec.TopologySpreadConstraints, c)
	}
}

func heedingTaints(c *corev1.TopologySpreadConstraint) {
	honor := corev1.NodeInclusionPolicyHonor
	c.NodeTaintsPolicy = &honor
}

func choosing(key, value string) kubetest.PodOption {
	return func(pod *corev1.Pod) { pod.Spec.NodeSelector = map[string]string{key: value} }
}

// others of the app "db" and "web" on a node; ready and owned like the rest.
func there(node, app string, options ...kubetest.PodOption) *corev1.Pod {
	return kubetest.Pod(fmt.Sprintf("%s-on-%s", app, node),
		append([]kubetest.PodOption{kubetest.OnNode(node), kubetest.Labelled("app", app)}, options...)...)
}

// TestRoom drains a1 of the pods named p0, p1, … and looks at where their
// successors find no place, and why.
func TestRoom(t *testing.T) {
	two := []corev1.Node{roomyNode("a1", "4"), roomyNode("b1", "4")}
	three := append(two[:2:2], roomyNode("c1", "4"))
	zone, host := corev1.LabelTopologyZone, corev1.LabelHostname
	for name, c := range map[string]struct {
		nodes  []corev1.Node
		moving [][]kubetest.PodOption
		others []*corev1.Pod
		want   map[string][]string
	}{
		"room": {nodes: two, moving: [][]kubetest.PodOption{{asking("cpu", "4")}}},
		"the only node": {nodes: two[:1], moving: [][]kubetest.PodOption{{}},
			want: map[string][]string{"p0": {"1 node cordoned"}}},
		"cpu, all of it": {nodes: two, moving: [][]kubetest.PodOption{{asking("cpu", "3")}, {asking("cpu", "2")}},
			want: map[string][]string{"p1": {"1 node cordoned", "1 node without enough cpu"}}},
		"cpu of others": {nodes: two, moving: [][]kubetest.PodOption{{asking("cpu", "1")}},
			others: []*corev1.Pod{there("b1", "db", asking("cpu", "3500m"))}, want: map[string][]string{"p0": {"1 node cordoned",
				"1 node without enough cpu"}}},
		"finished others": {nodes: two, moving: [][]kubetest.PodOption{{asking("cpu", "1")}},
			others: []*corev1.Pod{there("b1", "db", asking("cpu", "3500m"), kubetest.InPhase(corev1.PodSucceeded))}},
		"overcommitted, and it asks for nothing": {nodes: two, moving: [][]kubetest.PodOption{{}},
			others: []*corev1.Pod{there("b1", "db", asking("cpu", "9"))}},
		"cpu and memory": {nodes: two, moving: [][]kubetest.PodOption{{asking("cpu", "5"), asking("memory", "9Gi")}},
			want: map[string][]string{"p0": {"1 node cordoned", "1 node without enough cpu and memory"}}},
		"an extended resource": {
			nodes: []corev1.Node{roomyNode("a1", "4", offers("x.org/gpu", "2")), roomyNode("b1", "4", offers("x.org/gpu", "1")),
				roomyNode("c1", "4")}, moving: [][]kubetest.PodOption{{asking("x.org/gpu", "1")}, {asking("x.org/gpu", "1")}},
			want: map[string][]string{"p1": {"2 nodes without enough x.org/gpu", "1 node cordoned"}},
		},
		"places for pods": {
			nodes: []corev1.Node{two[0], roomyNode("b1", "4", offers("pods", "1"))}, moving: [][]kubetest.PodOption{{}, {}},
			want: map[string][]string{"p1": {"1 node cordoned", "1 node without enough places for pods"}},
		},
		"a taint": {
			nodes: []corev1.Node{two[0], roomyNode("b1", "4", tainted("gpu", corev1.TaintEffectNoSchedule)),
				roomyNode("c1", "4", tainted("gpu", corev1.TaintEffectNoExecute))}, moving: [][]kubetest.PodOption{{}, {tolerating("gpu")}},
			want: map[string][]string{"p0": {"1 node cordoned", "1 node with the taint gpu:NoExecute", "1 node with the taint gpu:NoSchedule"}},
		},
		"a taint that is a wish": {nodes: []corev1.Node{two[0], roomyNode("b1", "4", tainted("gpu", corev1.TaintEffectPreferNoSchedule))},
			moving: [][]kubetest.PodOption{{}}},
		"it tolerates the cordon": {nodes: two[:1],
			moving: [][]kubetest.PodOption{{asking("cpu", "4"), tolerating(corev1.TaintNodeUnschedulable)}}},
		"a node selector": {nodes: two, moving: [][]kubetest.PodOption{{choosing(zone, "a")}},
			want: map[string][]string{"p0": {"1 node cordoned", "1 node outside its node selector or affinity"}}},
		"a host port": {
			nodes: two, moving: [][]kubetest.PodOption{{onPort(80)}, {onPort(80)}, {onPort(81)}},
			want: map[string][]string{"p1": {"1 node cordoned", "1 node with port 80/TCP taken"}},
		},
		"anti-affinity": {
			nodes: three, moving: [][]kubetest.PodOption{{apartFrom(host, "web")}, {apartFrom(host, "web")}}, others: []*corev1.Pod{there("b1",
				"web", apartFrom(host, "web"))},
			want: map[string][]string{"p1": {"2 nodes against its anti-affinity", "1 node cordoned"}},
		},
		"anti-affinity of others": {
			nodes: two, moving: [][]kubetest.PodOption{{}}, others: []*corev1.Pod{there("b1", "db", apartFrom(host, "web"))},
			want: map[string][]string{"p0": {"1 node cordoned", "1 node with a pod that wants none like it"}},
		},
		"anti-affinity in another namespace": {nodes: two, moving: [][]kubetest.PodOption{{apartFrom(host, "db")}},
			others: []*corev1.Pod{there("b1", "db", kubetest.InNamespace("other"))}},
		"affinity": {
			nodes: three, moving: [][]kubetest.PodOption{{besides(zone, "db")}, {besides(zone, "cache")}}, others: []*corev1.Pod{there("b1", "db")},
			want: map[string][]string{"p1": {"2 nodes without the pods that its affinity wants", "1 node cordoned"}},
		},
		"affinity to what leaves, too": {
			nodes: two, moving: [][]kubetest.PodOption{{besides(zone, "db")}, {kubetest.Labelled("app", "db")}},
			want: map[string][]string{"p0": {"1 node cordoned", "1 node without the pods that its affinity wants"}},
		},
		"affinity to its own": {nodes: two, moving: [][]kubetest.PodOption{{besides(zone, "web")}, {besides(zone, "web")}}},
		"spread, the cordoned node counts": {
			nodes: two, moving: [][]kubetest.PodOption{{spreadOver(host)}}, others: []*corev1.Pod{there("b1", "web")},
			want: map[string][]string{"p0": {"1 node against its topology spread over " + host, "1 node cordoned"}},
		},
		"spread that heeds taints": {nodes: two, moving: [][]kubetest.PodOption{{spreadOver(host, heedingTaints)}},
			others: []*corev1.Pod{there("b1", "web")}},
		"spread over zones": {nodes: append(three[:3:3], roomyNode("a2", "4")), moving: [][]kubetest.PodOption{{spreadOver(zone)}},
			others: []*corev1.Pod{there("b1", "web"), there("c1", "web")}},
		"spread over zones without another node": {
			nodes: three, moving: [][]kubetest.PodOption{{spreadOver(zone)}}, others: []*corev1.Pod{there("b1", "web"), there("c1", "web")},
			want: map[string][]string{"p0": {"2 nodes against its topology spread over " + zone, "1 node cordoned"}},
		},
		"spread that counts nodes within the affinity only": {nodes: three,
			moving: [][]kubetest.PodOption{{spreadOver(host), choosing(zone, "b")}}, others: []*corev1.Pod{there("b1", "web")}},
		"spread over enough domains": {
			nodes: three, moving: [][]kubetest.PodOption{{spreadOver(zone,
				func(c *corev1.TopologySpreadConstraint) { n := int32(4); c.MinDomains = &n })}},
			others: []*corev1.Pod{there("a1", "web"), there("b1", "web"), there("c1", "web")},
			want:   map[string][]string{"p0": {"2 nodes against its topology spread over " + zone, "1 node cordoned"}},
		},
		"spread as a wish": {nodes: two, moving: [][]kubetest.PodOption{{spreadOver(host, func(c *corev1.TopologySpreadConstraint) {
			c.WhenUnsatisfiable = corev1.ScheduleAnyway
		})}}, others: []*corev1.Pod{there("b1", "web")}},
		"spread over a label that nobody has": {
			nodes: two, moving: [][]kubetest.PodOption{{spreadOver("rack")}},
			want: map[string][]string{"p0": {"1 node cordoned", "1 node without the label rack of its topology spread"}},
		},
		"a volume of the node": {
			nodes: two, moving: [][]kubetest.PodOption{{kubetest.Using("local")}, {kubetest.Using("network")}, {kubetest.Using("unbound")}},
			want: map[string][]string{"p0": {"1 node cordoned", "1 node without its volume pv-local"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(c.nodes)
			r.Volumes(someVolumes())
			var moving []*corev1.Pod
			for i, options := range c.moving {
				pod := kubetest.Pod(fmt.Sprintf("p%d", i), append([]kubetest.PodOption{kubetest.OnNode("a1")}, options...)...)
				kubetest.ControlledBy("apps/v1", "ReplicaSet", fmt.Sprint("of-p", i))(pod)
				moving = append(moving, pod)
			}
			for _, pod := range append(moving[:len(moving):len(moving)], c.others...) {
				r.Add(pod)
			}
			got := map[string][]string{}
			for uid, reasons := range r.Unschedulable(moving, []string{"a1"}) {
				got[string(uid[len("uid-"):])] = reasons
			}
			if len(c.want) == 0 {
				c.want = map[string][]string{}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v\nwant %v", got, c.want)
			}
			if c.nodes[0].Spec.Unschedulable {
				t.Error("the node that was read has been changed")
			}
		})
	}
}

// someVolumes are a local volume of a1, one of the network, and a claim that is
// not bound.
func someVolumes() ([]corev1.PersistentVolumeClaim, []corev1.PersistentVolume) {
	claim := func(name, volume string) corev1.PersistentVolumeClaim {
		return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec: corev1.PersistentVolumeClaimSpec{VolumeName: volume}}
	}
	local := corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-local"}}
	local.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn,
			Values: []string{"a1"}}},
	}}}}
	return []corev1.PersistentVolumeClaim{claim("local", "pv-local"), claim("network", "pv-network"), claim("unbound", "")},
		[]corev1.PersistentVolume{local, {ObjectMeta: metav1.ObjectMeta{Name: "pv-network"}}}
}

// Requests that most pods do not have are worked out as the scheduler does.
func TestRequestsOfUnusualPods(t *testing.T) {
	pod := kubetest.Pod("p", asking("cpu", "1"))
	always := corev1.ContainerRestartPolicyAlways
	container := func(cpu string) corev1.Container {
		requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
		return corev1.Container{Resources: corev1.ResourceRequirements{Requests: requests}}
	}
	sidecar := container("500m")
	sidecar.RestartPolicy = &always
	for name, c := range map[string]struct {
		change func(*corev1.PodSpec)
		want   int64
	}{
		"plain":        {func(*corev1.PodSpec) {}, 1000},
		"a big init":   {func(s *corev1.PodSpec) { s.InitContainers = []corev1.Container{container("3")} }, 3000},
		"a small init": {func(s *corev1.PodSpec) { s.InitContainers = []corev1.Container{container("100m")} }, 1000},
		"a sidecar":    {func(s *corev1.PodSpec) { s.InitContainers = []corev1.Container{sidecar} }, 1500},
		"overhead": {func(s *corev1.PodSpec) {
			s.Overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m")}
		}, 1250},
		"of the whole pod": {func(s *corev1.PodSpec) { s.Resources = resourcesOf(container("2")) }, 2000},
	} {
		t.Run(name, func(t *testing.T) {
			pod := pod.DeepCopy()
			c.change(&pod.Spec)
			if got := requests(pod); got.cpu != c.want || got.pods != 1 {
				t.Errorf("%d thousandths of a cpu in %d pods, want %d in 1", got.cpu, got.pods, c.want)
			}
		})
	}
}

// A StatefulSet's pods are one profile, whatever labels tell them apart.
func TestRoomKeepsOneProfileForPodsThatAreAlike(t *testing.T) {
	r := New([]corev1.Node{roomyNode("a1", "4")})
	for i := range 5 {
		r.Add(kubetest.Pod(fmt.Sprint("db-", i), kubetest.OnNode("a1"), kubetest.Labelled("apps.kubernetes.io/pod-index", fmt.Sprint(i)),
			kubetest.Labelled("statefulset.kubernetes.io/pod-name", fmt.Sprint("db-", i))))
	}
	r.Add(kubetest.Pod("other", kubetest.OnNode("a1"), kubetest.InNamespace("other")))
	r.Add(kubetest.Pod("apart", kubetest.OnNode("a1"), apartFrom(corev1.LabelHostname, "web")))
	if len(r.profiles) != 3 {
		t.Errorf("%d profiles: %v", len(r.profiles), r.profiles)
	}
	if got := r.Unschedulable(nil, nil); len(got) != 0 {
		t.Errorf("nobody moves, and without a home are %v", map[types.UID][]string(got))
	}
}

func resourcesOf(c corev1.Container) *corev1.ResourceRequirements { return &c.Resources }
