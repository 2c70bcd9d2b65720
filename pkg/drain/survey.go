// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Snapshot is what a decision needs to know of the cluster.
type Snapshot struct {
	Node corev1.Node
	// Pods are the pods bound to the node that match Options.PodSelector.
	Pods []corev1.Pod
	// ResourceVersion is the version of the list of pods.
	ResourceVersion string
	// Budgets are all those of the cluster; none if evictions are disabled.
	Budgets []policyv1.PodDisruptionBudget
	// DaemonSets are the names of those that exist; read only if a pod of the
	// node says that it belongs to one.
	DaemonSets map[types.NamespacedName]bool
	// Parents are the controllers of ReplicaSets, by the ReplicaSet's UID.
	Parents map[types.UID]metav1.OwnerReference
	// Taken is the time against which ages are measured.
	Taken time.Time
}

// Survey reads what Decide needs about a node: the Node, its pods by field
// selector, and one list each of budgets, DaemonSets and ReplicaSets as far as
// the pods call for it. It only reads.
//
// A missing node or permission is refused, naming the node or the verb and the
// resource; only ReplicaSets may be unreadable, since they give no more than a
// name for people to read.
func Survey(ctx context.Context, client kubernetes.Interface, node string, o Options) (Snapshot, error) {
	if err := o.Validate(); err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{Taken: time.Now()}
	found, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return Snapshot{}, unreadNode(err, node)
	}
	s.Node = *found
	if err := s.readPods(ctx, client, o); err != nil {
		return Snapshot{}, err
	}
	group, ctx := errgroup.WithContext(ctx)
	if !o.DisableEviction {
		group.Go(func() error { return s.readBudgets(ctx, client, o.ChunkSize) })
	}
	if s.anyControlledBy("DaemonSet") {
		group.Go(func() error { return s.readDaemonSets(ctx, client, o.ChunkSize) })
	}
	if s.anyControlledBy("ReplicaSet") {
		group.Go(func() error { return s.readParents(ctx, client, o.ChunkSize) })
	}
	if err := group.Wait(); err != nil {
		return Snapshot{}, err
	}
	return s, nil
}

func (s *Snapshot) readPods(ctx context.Context, client kubernetes.Interface, o Options) error {
	query := metav1.ListOptions{
		Limit:         o.ChunkSize,
		LabelSelector: o.PodSelector,
		FieldSelector: fields.OneTermEqualSelector("spec.nodeName", s.Node.Name).String(),
	}
	return pages(query, func(query metav1.ListOptions) (string, error) {
		list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, query)
		if err != nil {
			return "", unreadList(err, "pods")
		}
		if query.Continue == "" {
			s.Pods, s.ResourceVersion = nil, list.ResourceVersion
		}
		for _, pod := range list.Items {
			if pod.Spec.NodeName == s.Node.Name {
				s.Pods = append(s.Pods, pod)
			}
		}
		return list.Continue, nil
	})
}

func (s *Snapshot) readBudgets(ctx context.Context, client kubernetes.Interface, chunk int64) error {
	return pages(metav1.ListOptions{Limit: chunk}, func(query metav1.ListOptions) (string, error) {
		list, err := client.PolicyV1().PodDisruptionBudgets(metav1.NamespaceAll).List(ctx, query)
		if err != nil {
			return "", unreadList(err, "poddisruptionbudgets.policy")
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
	return pages(metav1.ListOptions{Limit: chunk}, func(query metav1.ListOptions) (string, error) {
		list, err := client.AppsV1().DaemonSets(metav1.NamespaceAll).List(ctx, query)
		if err != nil {
			return "", unreadList(err, "daemonsets.apps")
		}
		for _, set := range list.Items {
			s.DaemonSets[types.NamespacedName{Namespace: set.Namespace, Name: set.Name}] = true
		}
		return list.Continue, nil
	})
}

func (s *Snapshot) readParents(ctx context.Context, client kubernetes.Interface, chunk int64) error {
	s.Parents = map[types.UID]metav1.OwnerReference{}
	return pages(metav1.ListOptions{Limit: chunk}, func(query metav1.ListOptions) (string, error) {
		list, err := client.AppsV1().ReplicaSets(metav1.NamespaceAll).List(ctx, query)
		if apierrors.IsForbidden(err) {
			return "", nil
		}
		if err != nil {
			return "", unreadList(err, "replicasets.apps")
		}
		for i := range list.Items {
			if ref := metav1.GetControllerOf(&list.Items[i]); ref != nil {
				s.Parents[list.Items[i].UID] = *ref
			}
		}
		return list.Continue, nil
	})
}

// anyControlledBy reports whether a pod's controller is of this kind of apps/v1.
func (s *Snapshot) anyControlledBy(kind string) bool {
	for i := range s.Pods {
		if ref := metav1.GetControllerOf(&s.Pods[i]); isApps(ref, kind) {
			return true
		}
	}
	return false
}

func isApps(ref *metav1.OwnerReference, kind string) bool {
	return ref != nil && ref.Kind == kind && ref.APIVersion == appsv1.SchemeGroupVersion.String()
}

// pages calls list until there is no next page. A list that grew too old
// between two pages is read again from its beginning, in one page.
func pages(query metav1.ListOptions, list func(metav1.ListOptions) (next string, err error)) error {
	for {
		next, err := list(query)
		switch {
		case apierrors.IsResourceExpired(err) && query.Continue != "":
			query.Continue, query.Limit = "", 0
			continue
		case err != nil:
			return err
		case next == "":
			return nil
		}
		query.Continue = next
	}
}

// unreadNode is the error of a Node that cannot be read.
func unreadNode(err error, node string) error {
	switch {
	case apierrors.IsNotFound(err):
		return plan.Refuse(fmt.Errorf("node %q not found", node), "see the nodes there are: kubectl get nodes")
	case apierrors.IsForbidden(err):
		return mayNot(err, "get", "nodes")
	}
	return fmt.Errorf("read node %q: %w", node, err)
}

// unreadList is the error of a list over all namespaces that cannot be read.
func unreadList(err error, resource string) error {
	if apierrors.IsForbidden(err) {
		return mayNot(err, "list", resource)
	}
	return fmt.Errorf("list %s: %w", resource, err)
}

// unreadWatch is the error of a watch that is not allowed.
func unreadWatch(err error, resource string) error {
	return plan.Hint(fmt.Errorf("you may not list and watch %s in the whole cluster: %w", resource, err),
		"have 'list' and 'watch' on '%s' allowed for you; 'kubectl auth can-i watch %s -A' shows whether they are", resource, resource)
}

// mayNot is the refusal of a missing permission.
func mayNot(err error, verb, resource string) error {
	return plan.Refuse(fmt.Errorf("you may not %s %s in the whole cluster: %w", verb, resource, err),
		"have '%s' on '%s' allowed for you; 'kubectl auth can-i %s %s -A' shows whether it is", verb, resource, verb, resource)
}
