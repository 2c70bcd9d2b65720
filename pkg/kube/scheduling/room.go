// SPDX-License-Identifier: Apache-2.0

package scheduling

import (
	"hash/maphash"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// Room says where the successors of pods would find a place, by the filters of
// kube-scheduler 1.37: NodeUnschedulable, TaintToleration, NodeAffinity,
// VolumeBinding of bound claims, NodeResourcesFit, NodePorts, InterPodAffinity
// and PodTopologySpread. What it does not know: preemption, dynamic resources,
// how many volumes a node can attach, other schedulers, autoscalers.
type Room struct {
	sites []site
	// at is the number of a site by its node's name.
	at map[string]int
	// profiles are what relations between pods look at, of which many pods are
	// alike; byHash finds them, and where are the sites of their pods, without
	// those that are stopping.
	profiles []profile
	byHash   map[uint64]profileID
	seed     maphash.Seed
	where    [][]int
	claims   map[types.NamespacedName]*corev1.PersistentVolumeClaim
	disks    map[string]*corev1.PersistentVolume
}

// site is a node with what is taken of it.
type site struct {
	node  *corev1.Node
	free  amounts
	ports []hostPort
}

type profileID int32

// profile is a namespace, labels, and the anti-affinity that is required.
type profile struct {
	namespace string
	labels    labels.Set
	avoids    []corev1.PodAffinityTerm
}

// New begins with empty nodes.
func New(nodes []corev1.Node) *Room {
	r := &Room{
		sites: make([]site, len(nodes)), at: make(map[string]int, len(nodes)),
		byHash: map[uint64]profileID{}, seed: maphash.MakeSeed(),
		claims: map[types.NamespacedName]*corev1.PersistentVolumeClaim{}, disks: map[string]*corev1.PersistentVolume{},
	}
	for i := range nodes {
		r.sites[i] = site{node: &nodes[i], free: allocatable(&nodes[i])}
		r.at[nodes[i].Name] = i
	}
	return r
}

// Add takes the pod's place on its node. The pod is not kept.
func (r *Room) Add(pod *corev1.Pod) {
	i, known := r.at[pod.Spec.NodeName]
	if !known || kube.Finished(pod) {
		return
	}
	s := &r.sites[i]
	s.free.sub(requests(pod))
	s.ports = append(s.ports, hostPorts(pod)...)
	if pod.DeletionTimestamp == nil {
		id := r.profileOf(pod)
		r.where[id] = append(r.where[id], i)
	}
}

// remove gives the pod's place back.
func (r *Room) remove(pod *corev1.Pod) {
	i, known := r.at[pod.Spec.NodeName]
	if !known {
		return
	}
	s := &r.sites[i]
	s.free.add(requests(pod))
	for _, port := range hostPorts(pod) {
		if at := slices.Index(s.ports, port); at >= 0 {
			s.ports = slices.Delete(s.ports, at, at+1)
		}
	}
	id := r.profileOf(pod)
	if at := slices.Index(r.where[id], i); at >= 0 {
		r.where[id] = slices.Delete(r.where[id], at, at+1)
	}
}

// Volumes are the claims of the pods that will move, and their volumes.
func (r *Room) Volumes(claims []corev1.PersistentVolumeClaim, volumes []corev1.PersistentVolume) {
	for i := range claims {
		r.claims[types.NamespacedName{Namespace: claims[i].Namespace, Name: claims[i].Name}] = &claims[i]
	}
	for i := range volumes {
		r.disks[volumes[i].Name] = &volumes[i]
	}
}

// uniqueLabel tells the labels that differ between pods that are alike
// otherwise. No spread or affinity of a whole workload selects by them, and
// without them a StatefulSet is one profile, not thousands.
func uniqueLabel(key string) bool {
	switch key {
	case "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "batch.kubernetes.io/job-completion-index":
		return true
	}
	return false
}

// profileOf finds the profile of a pod, or makes it.
func (r *Room) profileOf(pod *corev1.Pod) profileID {
	avoids := avoided(pod)
	hash := maphash.String(r.seed, pod.Namespace)
	for key, value := range pod.Labels { // in any order: sums do not mind
		if !uniqueLabel(key) {
			hash += maphash.Comparable(r.seed, [2]string{key, value})
		}
	}
	for i := range avoids {
		hash += maphash.String(r.seed, avoids[i].String())
	}
	if id, known := r.byHash[hash]; known {
		return id
	}
	set := labels.Set{}
	for key, value := range pod.Labels {
		if !uniqueLabel(key) {
			set[key] = value
		}
	}
	id := profileID(len(r.profiles))
	r.profiles = append(r.profiles, profile{namespace: pod.Namespace, labels: set, avoids: avoids})
	r.where = append(r.where, nil)
	r.byHash[hash] = id
	return id
}

// avoided is the anti-affinity that a pod requires.
func avoided(pod *corev1.Pod) []corev1.PodAffinityTerm {
	if a := pod.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		return a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	return nil
}

// Unschedulable are the reasons for which the successors of some pods would stay
// Pending once the nodes are cordoned, by the pod's UID. The pods are given
// places in their order, none of which is given back, so it is asked once.
func (r *Room) Unschedulable(moving []*corev1.Pod, cordoned []string) map[types.UID][]string {
	for _, name := range cordoned {
		if i, known := r.at[name]; known {
			node := *r.sites[i].node // the reading stays as it was
			node.Spec.Unschedulable = true
			r.sites[i].node = &node
		}
	}
	for _, pod := range moving {
		r.remove(pod)
	}
	out, search := map[types.UID][]string{}, newSearch(r)
	for _, pod := range moving {
		if reasons := search.place(pod); len(reasons) > 0 {
			out[pod.UID] = reasons
		}
	}
	return out
}
