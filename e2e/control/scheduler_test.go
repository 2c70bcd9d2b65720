// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/forecast"
)

const nodesInPool = 4

// TestTheForecastOfRoomIsWhatTheSchedulerDoes draws small pools of nodes with
// pods on them, foresees whether the successor of one pod finds a node when its
// own is drained, and then lets the scheduler answer.
func TestTheForecastOfRoomIsWhatTheSchedulerDoes(t *testing.T) {
	pools := full(60, 20)
	fewest := int32(pools / 6) // have to find a place, and not to, or the test has shown nothing
	p := newPlane(t, pools*nodesInPool)
	var placed, pending atomic.Int32
	t.Run("pools", func(t *testing.T) {
		for n := range pools {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				d := &pool{plane: p, rand: rand.New(rand.NewPCG(uint64(n), 11)), id: fmt.Sprint(n), members: p.nodes[n*nodesInPool : (n+1)*nodesInPool]}
				if d.compare(t) {
					placed.Add(1)
				} else {
					pending.Add(1)
				}
			})
		}
	})
	t.Logf("| %d successors found a place, %d did not", placed.Load(), pending.Load())
	if placed.Load() < fewest || pending.Load() < fewest {
		t.Error("the pools are too much alike")
	}
}

// pool is some nodes, with pods that have nothing to do with other pools.
type pool struct {
	*plane
	rand    *rand.Rand
	id      string
	members []string
}

// compare returns what the forecast said: whether there is room.
func (d *pool) compare(t *testing.T) bool {
	t.Helper()
	for i, node := range d.members {
		d.furnish(t, node, i)
	}
	template := d.template()
	moving := d.put(t, "web", d.members[0], template)
	for _, node := range d.members[1:] {
		if d.rand.IntN(4) > 0 {
			d.put(t, "web", node, template)
		}
		for range d.rand.IntN(2) {
			d.put(t, "db", node, d.template())
		}
	}
	d.adopt(t, template)
	options := drain.DefaultOptions()
	input, err := forecast.Read(t.Context(), d.client, drain.Target{Names: d.members[:1]}, options)
	if err != nil {
		t.Fatal(err)
	}
	f := forecast.Predict(input, options, "kubectl lifecycle drain")
	var reasons []string
	for _, h := range f.Unschedulable {
		if h.UID == moving.UID {
			reasons = h.Reasons
		}
	}
	webs := len(d.webs(t))
	if o := d.theirs(t, "cordon", d.members[0]); o.code != 0 {
		t.Fatal(o.all())
	}
	if err := d.client.CoreV1().Pods(d.space).Delete(t.Context(), moving.Name,
		metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
		t.Fatal(err)
	}
	found, said := d.answer(t, webs, len(reasons) == 0)
	if found != (len(reasons) == 0) {
		t.Errorf("the scheduler found a place: %v (%s); foreseen: %q\n%+v", found, said, reasons, template.Spec)
	}
	return len(reasons) == 0
}

// furnish gives a node its size, its zone and maybe a taint.
func (d *pool) furnish(t *testing.T, node string, i int) {
	t.Helper()
	taints := "[]"
	if d.rand.IntN(4) == 0 {
		taints = `[{"key":"special","effect":"NoSchedule"}]`
	}
	patch := fmt.Sprintf(`{"metadata":{"labels":{"pool":%q,%q:"zone%d"}},"spec":{"taints":%s}}`, d.id, corev1.LabelTopologyZone, i/2, taints)
	if _, err := d.client.CoreV1().Nodes().Patch(t.Context(), node, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	patch = fmt.Sprintf(`{"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"%d"}}}`, 2+d.rand.IntN(4))
	if _, err := d.client.CoreV1().Nodes().Patch(t.Context(), node, types.MergePatchType, []byte(patch), metav1.PatchOptions{},
		"status"); err != nil {
		t.Fatal(err)
	}
}

// template draws what a pod wants.
func (d *pool) template() corev1.PodTemplateSpec {
	spec := corev1.PodSpec{NodeSelector: map[string]string{"pool": d.id}}
	c := corev1.Container{Name: "a", Image: "a", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse([]string{"500m", "1", "2", "3"}[d.rand.IntN(4)]),
	}}}
	if d.rand.IntN(5) == 0 {
		c.Ports = []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 8080}}
	}
	spec.Containers = []corev1.Container{c}
	if d.rand.IntN(6) == 0 {
		always := corev1.ContainerRestartPolicyAlways
		sidecar := corev1.Container{Name: "b", Image: "b", RestartPolicy: &always,
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}
		spec.InitContainers = []corev1.Container{sidecar}
	}
	if d.rand.IntN(2) == 0 {
		spec.Tolerations = []corev1.Toleration{{Key: "special", Operator: corev1.TolerationOpExists}}
	}
	keys := []string{corev1.LabelHostname, corev1.LabelTopologyZone}
	term := []corev1.PodAffinityTerm{{TopologyKey: keys[d.rand.IntN(2)], LabelSelector: d.selects([]string{"web", "db"}[d.rand.IntN(2)])}}
	switch d.rand.IntN(8) {
	case 0, 1:
		spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: term}}
	case 2:
		spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: term}}
	case 3, 4, 5:
		spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{d.spread(keys[d.rand.IntN(2)])}
	}
	return corev1.PodTemplateSpec{Spec: spec}
}

func (d *pool) spread(key string) corev1.TopologySpreadConstraint {
	c := corev1.TopologySpreadConstraint{MaxSkew: int32(1 + d.rand.IntN(2)), TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule,
		LabelSelector: d.selects("web")}
	if d.rand.IntN(3) == 0 {
		honor := corev1.NodeInclusionPolicyHonor
		c.NodeTaintsPolicy = &honor
	}
	if d.rand.IntN(3) == 0 {
		domains := int32(2 + d.rand.IntN(4))
		c.MinDomains = &domains
	}
	return c
}

func (d *pool) labels(app string) map[string]string {
	return map[string]string{"app": app + "-" + d.id}
}

func (d *pool) selects(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: d.labels(app)}
}

// put makes a pod on a node without asking the scheduler. A ReplicaSet that has
// one too many gives up any other before it.
func (d *pool) put(t *testing.T, app, node string, template corev1.PodTemplateSpec) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: app + "-", Labels: d.labels(app)}, Spec: *template.Spec.DeepCopy()}
	pod.Annotations = map[string]string{corev1.PodDeletionCost: "1"}
	pod.Spec.NodeName = node
	made, err := d.client.CoreV1().Pods(d.space).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// adopt makes a ReplicaSet of the pods "web" that are there, once they run: its
// controller makes another for each pod that it has not heard of yet.
func (d *pool) adopt(t *testing.T, template corev1.PodTemplateSpec) {
	t.Helper()
	d.until(t, "the pods run", func(context.Context) (bool, error) {
		return !slices.ContainsFunc(d.webs(t), func(pod corev1.Pod) bool { return pod.Status.Phase != corev1.PodRunning }), nil
	})
	n := int32(len(d.webs(t)))
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "web-" + d.id}, Spec: appsv1.ReplicaSetSpec{Replicas: &n,
		Selector: d.selects("web"), Template: template}}
	set.Spec.Template.Labels = d.labels("web")
	set, err := d.client.AppsV1().ReplicaSets(d.space).Create(t.Context(), set, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d.until(t, "the ReplicaSet has adopted its pods, and no others are left", func(ctx context.Context) (bool, error) {
		now, err := d.client.AppsV1().ReplicaSets(d.space).Get(ctx, set.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		webs := d.webs(t)
		strange := slices.ContainsFunc(webs, func(pod corev1.Pod) bool { return len(pod.OwnerReferences) == 0 })
		return !strange && now.Status.ReadyReplicas == n && len(webs) == int(n), nil
	})
}

func (d *pool) webs(t *testing.T) []corev1.Pod {
	t.Helper()
	list, err := d.client.CoreV1().Pods(d.space).List(t.Context(), metav1.ListOptions{LabelSelector: "app=web-" + d.id})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// answer is what the scheduler does with the successor, and says. Where a place
// is expected, a first refusal may come from a node's state of just before.
func (d *pool) answer(t *testing.T, want int, expected bool) (found bool, said string) {
	t.Helper()
	patience := time.Now().Add(10 * time.Second)
	d.until(t, "the scheduler has looked at the successor", func(context.Context) (bool, error) {
		placed := 0
		for _, pod := range d.webs(t) {
			if pod.DeletionTimestamp != nil || pod.Spec.NodeName == d.members[0] {
				continue
			}
			if pod.Spec.NodeName != "" {
				placed++
			}
			for _, c := range pod.Status.Conditions {
				if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
					said = c.Message
				}
			}
		}
		found = placed == want
		return found || said != "" && (!expected || time.Now().After(patience)), nil
	})
	return found, said
}
