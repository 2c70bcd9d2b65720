// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"fmt"
	"sort"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// readers bounds the reads under way at once.
	readers = 16
	// fewNodes are read and watched one by one. More are, too, unless they are
	// at least one of wholeShare nodes of the cluster: then one list and one
	// watch of all pods cost less than many of a few.
	fewNodes   = 8
	wholeShare = 4
)

// Scope says how the pods of some nodes are read and watched.
type Scope struct {
	nodes []string
	// whole is true for one request over all pods of the cluster.
	whole bool
	// versions are those at which the parts were read.
	versions map[string]string
}

// Everywhere is the part of a request over the whole cluster.
const Everywhere = ""

// Parts are what is asked for one by one: nodes by name, or Everywhere.
func (r Scope) Parts() []string {
	if r.whole {
		return []string{Everywhere}
	}
	return r.nodes
}

// Part is the one that a node belongs to.
func (r Scope) Part(node string) string {
	if r.whole {
		return Everywhere
	}
	return node
}

// ScopeOf is the scope of nodes that are looked at one by one.
func ScopeOf(nodes []corev1.Node) Scope {
	r := Scope{}
	for _, node := range nodes {
		r.nodes = append(r.nodes, node.Name)
	}
	return r
}

// scopeOf decides how to read the pods of the nodes.
func scopeOf(ctx context.Context, client kubernetes.Interface, nodes []corev1.Node) (Scope, error) {
	r := ScopeOf(nodes)
	if len(nodes) <= fewNodes {
		return r, nil
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return r, kube.UnreadList(err, "nodes")
	}
	total := int64(len(list.Items))
	if list.RemainingItemCount != nil {
		total += *list.RemainingItemCount
	}
	r.whole = int64(len(nodes))*wholeShare >= total
	return r, nil
}

// Pods is the source of the pods of one part, from the version on at which they
// were read.
func (r Scope) Pods(client kubernetes.Interface, part string) kube.Source[*corev1.Pod] {
	from := r.pods(client, part)
	if version := r.versions[part]; version != "" {
		from.Query.ResourceVersion, from.Query.ResourceVersionMatch = version, metav1.ResourceVersionMatchNotOlderThan
	}
	return from
}

// pods is the source of the pods of one part as they are now.
func (r Scope) pods(client kubernetes.Interface, part string) kube.Source[*corev1.Pod] {
	wanted := map[string]bool{part: true}
	query := metav1.ListOptions{}
	if r.whole {
		for _, name := range r.nodes {
			wanted[name] = true
		}
	} else {
		query.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", part).String()
	}
	return kube.Source[*corev1.Pod]{
		Resource: "pods",
		Query:    query,
		// The fake client knows no field selectors, and a pod is bound once only.
		Keep: func(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" && wanted[pod.Spec.NodeName] },
		List: func(ctx context.Context, query metav1.ListOptions) ([]*corev1.Pod, metav1.ListMeta, error) {
			list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, query)
			if err != nil {
				return nil, metav1.ListMeta{}, err
			}
			return kube.Pointers(list.Items), list.ListMeta, nil
		},
		Watch: client.CoreV1().Pods(metav1.NamespaceAll).Watch,
	}
}

// Nodes is the source of the Nodes that are drained.
func (r Scope) Nodes(client kubernetes.Interface) kube.Source[*corev1.Node] {
	wanted := map[string]bool{}
	for _, name := range r.nodes {
		wanted[name] = true
	}
	query := metav1.ListOptions{}
	if len(r.nodes) == 1 {
		query.FieldSelector = fields.OneTermEqualSelector("metadata.name", r.nodes[0]).String()
	}
	return kube.Source[*corev1.Node]{
		Resource: "nodes",
		Query:    query,
		Keep:     func(node *corev1.Node) bool { return wanted[node.Name] },
		List: func(ctx context.Context, query metav1.ListOptions) ([]*corev1.Node, metav1.ListMeta, error) {
			list, err := client.CoreV1().Nodes().List(ctx, query)
			if err != nil {
				return nil, metav1.ListMeta{}, err
			}
			return kube.Pointers(list.Items), list.ListMeta, nil
		},
		Watch: client.CoreV1().Nodes().Watch,
	}
}

// BudgetsOf is the source of all budgets.
func BudgetsOf(client kubernetes.Interface, chunk int64) kube.Source[*policyv1.PodDisruptionBudget] {
	return kube.Source[*policyv1.PodDisruptionBudget]{
		Resource: "poddisruptionbudgets.policy",
		Query:    metav1.ListOptions{Limit: chunk},
		List: func(ctx context.Context, query metav1.ListOptions) ([]*policyv1.PodDisruptionBudget, metav1.ListMeta, error) {
			list, err := client.PolicyV1().PodDisruptionBudgets(metav1.NamespaceAll).List(ctx, query)
			if err != nil {
				return nil, metav1.ListMeta{}, err
			}
			return kube.Pointers(list.Items), list.ListMeta, nil
		},
		Watch: client.PolicyV1().PodDisruptionBudgets(metav1.NamespaceAll).Watch,
	}
}

// ReadNodes reads the nodes that are meant: in the order in which they were
// named, each once; those of a selector by name.
func ReadNodes(ctx context.Context, client kubernetes.Interface, target Target, chunk int64) ([]corev1.Node, error) {
	if target.Selector != "" {
		return selectNodes(ctx, client, target.Selector, chunk)
	}
	var names []string
	seen := map[string]bool{}
	for _, name := range target.Names {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	if len(names) > fewNodes {
		return pickNodes(ctx, client, names, chunk)
	}
	nodes := make([]corev1.Node, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, name := range names {
		group.Go(func() error {
			node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return kube.UnreadNode(err, name)
			}
			nodes[i] = *node
			return nil
		})
	}
	return nodes, group.Wait()
}

// pickNodes reads many nodes out of one list of all.
func pickNodes(ctx context.Context, client kubernetes.Interface, names []string, chunk int64) ([]corev1.Node, error) {
	all, err := kube.ListNodes(ctx, client, metav1.ListOptions{Limit: chunk})
	if err != nil {
		return nil, err
	}
	byName := make(map[string]*corev1.Node, len(all))
	for i := range all {
		byName[all[i].Name] = &all[i]
	}
	var nodes []corev1.Node
	for _, name := range names {
		node, exists := byName[name]
		if !exists {
			return nil, kube.UnreadNode(apierrors.NewNotFound(corev1.Resource("nodes"), name), name)
		}
		nodes = append(nodes, *node)
	}
	return nodes, nil
}

// Names resolves a target to the names of nodes; names that were given are not
// looked up. A selector that no node matches is refused.
func Names(ctx context.Context, client kubernetes.Interface, target Target) ([]string, error) {
	if target.Selector == "" {
		return target.Names, nil
	}
	nodes, err := selectNodes(ctx, client, target.Selector, DefaultOptions().ChunkSize)
	var out []string
	for _, node := range nodes {
		out = append(out, node.Name)
	}
	return out, err
}

func selectNodes(ctx context.Context, client kubernetes.Interface, selector string, chunk int64) ([]corev1.Node, error) {
	nodes, err := kube.ListNodes(ctx, client, metav1.ListOptions{LabelSelector: selector, Limit: chunk})
	if err == nil && len(nodes) == 0 {
		err = plan.Refuse(fmt.Errorf("no node matches %q", selector), "see the labels there are: kubectl get nodes --show-labels")
	}
	sort.Slice(nodes, func(i, j int) bool { return nodes[i].Name < nodes[j].Name })
	return nodes, err
}
