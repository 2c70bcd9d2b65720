// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// workloads follow the ReplicaSets and StatefulSets whose pods leave, for
// Options.WaitForReplacement. Without it they follow nothing.
type workloads struct {
	on          bool
	replicaSets *kube.Mirror[*appsv1.ReplicaSet]
	stateful    *kube.Mirror[*appsv1.StatefulSet]
	// taken holds, for controllers that a Ready pod was taken from, the version
	// at which that was: a status of that version does not show it yet.
	taken map[types.UID]string
}

func newWorkloads(on bool, wake func()) *workloads {
	return &workloads{
		on: on, taken: map[types.UID]string{},
		replicaSets: kube.NewMirror[*appsv1.ReplicaSet](wake), stateful: kube.NewMirror[*appsv1.StatefulSet](wake),
	}
}

func (w *workloads) follow(ctx context.Context, r *run, client kubernetes.Interface) {
	if !w.on {
		return
	}
	begin(ctx, r, kube.Source[*appsv1.ReplicaSet]{
		Resource: "replicasets.apps",
		List: func(ctx context.Context, query metav1.ListOptions) ([]*appsv1.ReplicaSet, metav1.ListMeta, error) {
			list, err := client.AppsV1().ReplicaSets(metav1.NamespaceAll).List(ctx, query)
			if err != nil {
				return nil, metav1.ListMeta{}, err
			}
			return kube.Pointers(list.Items), list.ListMeta, nil
		},
		Watch: client.AppsV1().ReplicaSets(metav1.NamespaceAll).Watch,
	}, w.replicaSets)
	begin(ctx, r, kube.Source[*appsv1.StatefulSet]{
		Resource: "statefulsets.apps",
		List: func(ctx context.Context, query metav1.ListOptions) ([]*appsv1.StatefulSet, metav1.ListMeta, error) {
			list, err := client.AppsV1().StatefulSets(metav1.NamespaceAll).List(ctx, query)
			if err != nil {
				return nil, metav1.ListMeta{}, err
			}
			return kube.Pointers(list.Items), list.ListMeta, nil
		},
		Watch: client.AppsV1().StatefulSets(metav1.NamespaceAll).Watch,
	}, w.stateful)
}

func (w *workloads) ready() bool {
	if !w.on {
		return true
	}
	a, _ := w.replicaSets.State()
	b, _ := w.stateful.State()
	return a && b
}

// count is what a controller says of its pods.
type count struct {
	version     string
	ready, want int32
}

// of returns the count of a controller; false if it is of another kind, or not
// there any more, or being deleted.
func (w *workloads) of(uid types.UID) (count, bool) {
	if rs, ok := w.replicaSets.Get(uid); ok && rs.DeletionTimestamp == nil {
		return count{rs.ResourceVersion, rs.Status.ReadyReplicas, kube.Wanted(rs.Spec.Replicas)}, true
	}
	if set, ok := w.stateful.Get(uid); ok && set.DeletionTimestamp == nil {
		return count{set.ResourceVersion, set.Status.ReadyReplicas, kube.Wanted(set.Spec.Replicas)}, true
	}
	return count{}, false
}

// take notes that a pod is asked for. A pod that was not Ready will not be
// missed.
func (w *workloads) take(it *item, isReady bool) {
	if !w.on || len(it.Owners) == 0 || !isReady {
		return
	}
	if c, ok := w.of(it.Owners[0].UID); ok {
		w.taken[it.Owners[0].UID] = c.version
	}
}

// giveBack notes that the pod was not taken after all.
func (w *workloads) giveBack(it *item) {
	if w.on && len(it.Owners) > 0 {
		delete(w.taken, it.Owners[0].UID)
	}
}

// lacks says what a controller that a pod was taken from is short of; empty if
// it is whole again.
func (w *workloads) lacks(uid types.UID) string {
	version, taken := w.taken[uid]
	if !taken {
		return ""
	}
	c, exists := w.of(uid)
	switch {
	case !exists:
	case c.version == version:
		return fmt.Sprintf("%d of %d pods Ready a moment ago", c.ready, c.want)
	case c.ready < c.want:
		return fmt.Sprintf("%d of %d pods Ready", c.ready, c.want)
	}
	delete(w.taken, uid)
	return ""
}

// whole reports whether every controller that a pod was taken from has all its
// Ready pods again.
func (w *workloads) whole() bool {
	for uid := range w.taken {
		if w.lacks(uid) != "" {
			return false
		}
	}
	return true
}
