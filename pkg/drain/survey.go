// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// Snapshot is what a decision needs to know of the cluster.
type Snapshot struct {
	// Nodes are those to be drained, in the order in which they will be.
	Nodes []corev1.Node
	// Pods are the pods bound to them that match Options.PodSelector.
	Pods []corev1.Pod
	// Budgets are all those of the cluster; none if evictions are disabled.
	Budgets []policyv1.PodDisruptionBudget
	// DaemonSets are the names of those that exist; read only if a pod of the
	// nodes says that it belongs to one.
	DaemonSets map[types.NamespacedName]bool
	// Locks are those that DaemonSets hold for nodes; read with DaemonSets.
	Locks []Lock
	// Parents are the controllers of ReplicaSets, by the ReplicaSet's UID.
	Parents map[types.UID]metav1.OwnerReference
	// Jobs are those of the cluster, by UID; read only if a pod of the nodes is of
	// one, and nil if they may not be read.
	Jobs map[types.UID]*batchv1.Job
	// Taken is the time against which ages are measured.
	Taken time.Time
	// Scope says how the pods were read, and at which versions.
	Scope Scope
}

// Survey reads what Decide needs about some nodes: the Nodes, their pods, and
// one list each of budgets, DaemonSets and ReplicaSets as far as the pods call
// for it. It only reads.
//
// A missing node or permission is refused, naming the node or the verb and the
// resource, and so is a selector that no node matches; only ReplicaSets may be
// unreadable, since they give no more than a name for people to read.
func Survey(ctx context.Context, client kubernetes.Interface, target Target, o Options) (Snapshot, error) {
	if err := o.Validate(); err != nil {
		return Snapshot{}, err
	}
	if err := target.Validate(); err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{Taken: time.Now()}
	var err error
	if s.Nodes, err = ReadNodes(ctx, client, target, o.ChunkSize); err != nil {
		return Snapshot{}, err
	}
	if s.Scope, err = scopeOf(ctx, client, s.Nodes); err != nil {
		return Snapshot{}, err
	}
	if err := s.readPods(ctx, client, o); err != nil {
		return Snapshot{}, err
	}
	group, ctx := errgroup.WithContext(ctx)
	if !o.DisableEviction {
		group.Go(func() error { return s.readBudgets(ctx, client, o.ChunkSize) })
	}
	if s.AnyControlledBy("DaemonSet") {
		group.Go(func() error { return s.readDaemonSets(ctx, client, o.ChunkSize) })
	}
	if s.AnyControlledBy("ReplicaSet") {
		group.Go(func() error { return s.readParents(ctx, client, o.ChunkSize) })
	}
	if s.AnyJob() {
		group.Go(func() error { return s.ReadJobs(ctx, client, o.ChunkSize) })
	}
	if err := group.Wait(); err != nil {
		return Snapshot{}, err
	}
	return s, nil
}

// readPods reads the pods of the nodes, in one list or one per node.
func (s *Snapshot) readPods(ctx context.Context, client kubernetes.Interface, o Options) error {
	parts := s.Scope.Parts()
	lists := make([][]*corev1.Pod, len(parts))
	versions := make([]string, len(lists))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, part := range parts {
		group.Go(func() (err error) {
			source := s.Scope.pods(client, part)
			source.Query.Limit, source.Query.LabelSelector = o.ChunkSize, o.PodSelector
			lists[i], versions[i], err = source.Read(ctx)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return kube.UnreadList(err, "pods")
	}
	s.Scope.versions = map[string]string{}
	for i, part := range parts {
		s.Scope.versions[part] = versions[i]
		for _, pod := range lists[i] {
			s.Pods = append(s.Pods, *pod)
		}
	}
	return nil
}

func (s *Snapshot) readBudgets(ctx context.Context, client kubernetes.Interface, chunk int64) error {
	return kube.Pages(metav1.ListOptions{Limit: chunk}, func(query metav1.ListOptions) (string, error) {
		list, err := client.PolicyV1().PodDisruptionBudgets(metav1.NamespaceAll).List(ctx, query)
		if err != nil {
			return "", kube.UnreadList(err, "poddisruptionbudgets.policy")
		}
		if query.Continue == "" {
			s.Budgets = nil
		}
		s.Budgets = append(s.Budgets, list.Items...)
		return list.Continue, nil
	})
}

func (s *Snapshot) readDaemonSets(ctx context.Context, client kubernetes.Interface, chunk int64) error {
	s.DaemonSets = map[types.NamespacedName]bool{}
	return kube.Pages(metav1.ListOptions{Limit: chunk}, func(query metav1.ListOptions) (string, error) {
		list, err := client.AppsV1().DaemonSets(metav1.NamespaceAll).List(ctx, query)
		if err != nil {
			return "", kube.UnreadList(err, "daemonsets.apps")
		}
		for _, set := range list.Items {
			s.DaemonSets[types.NamespacedName{Namespace: set.Namespace, Name: set.Name}] = true
			s.ReadLock(&set)
		}
		return list.Continue, nil
	})
}

func (s *Snapshot) readParents(ctx context.Context, client kubernetes.Interface, chunk int64) error {
	s.Parents = map[types.UID]metav1.OwnerReference{}
	return kube.Pages(metav1.ListOptions{Limit: chunk}, func(query metav1.ListOptions) (string, error) {
		list, err := client.AppsV1().ReplicaSets(metav1.NamespaceAll).List(ctx, query)
		if apierrors.IsForbidden(err) {
			return "", nil
		}
		if err != nil {
			return "", kube.UnreadList(err, "replicasets.apps")
		}
		for i := range list.Items {
			if ref := metav1.GetControllerOf(&list.Items[i]); ref != nil {
				s.Parents[list.Items[i].UID] = *ref
			}
		}
		return list.Continue, nil
	})
}

// AnyControlledBy reports whether a pod's controller is of this kind of apps/v1.
func (s *Snapshot) AnyControlledBy(kind string) bool {
	for i := range s.Pods {
		if ref := metav1.GetControllerOf(&s.Pods[i]); kube.IsApps(ref, kind) {
			return true
		}
	}
	return false
}

// AnyJob reports whether a pod is of a Job and has not ended.
func (s *Snapshot) AnyJob() bool {
	for i := range s.Pods {
		if isJob(metav1.GetControllerOf(&s.Pods[i])) && !kube.Finished(&s.Pods[i]) {
			return true
		}
	}
	return false
}
