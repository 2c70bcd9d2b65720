// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/bulklist"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/scheduling"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Input is what a forecast needs to know: of the nodes all that a drain does,
// and of the rest of the cluster what budgets, replacements and room depend on.
type Input struct {
	drain.Snapshot
	// Workloads are the controllers that the nodes' pods belong to, by UID.
	Workloads map[types.UID]Workload
	// Paces say how long a controller's pods took to become Ready, by the UID of
	// the pods' own controller.
	Paces map[types.UID]Pace
	// Unready are the pods that are not Ready, by the UID of a budget that
	// matches them; at most maxUnready each.
	Unready map[types.UID][]Unready
	// Healthy counts the Ready pods under the budgets that the disruption
	// controller cannot work out, by the budget's UID.
	Healthy map[types.UID]int
	// Local are claims bound to volumes of one node, with the volume's name.
	Local map[types.NamespacedName]string
	// Surges are the Deployments whose budgets never let a pod go, by UID; nil if it was
	// not found out what a surge does for them. Surging is true if it is to do it.
	Surges  map[types.UID]Surge
	Surging bool
	// Elsewhere counts the nodes that are not drained and take pods.
	Elsewhere int
	// Notes say what could not be read.
	Notes []string
	// Admission is who is asked before pods leave.
	Admission drain.Admission
	room      *scheduling.Room
}

// Workload is a controller of pods as far as a forecast looks at it.
type Workload struct {
	Replicas int32
	Paused   bool
	Releases []managedby.Release
}

// maxUnready is how many pods that are not Ready are named for one budget.
const maxUnready = 5

// Read reads what Predict needs: one list for each kind, over the whole
// cluster, of which no more is kept than is needed. It only reads.
//
// A missing node or permission is refused as by Survey; what is only good for
// advice may be unreadable, and is noted.
func Read(ctx context.Context, client kubernetes.Interface, target drain.Target, o drain.Options) (Input, error) {
	if err := o.Validate(); err != nil {
		return Input{}, err
	}
	if err := target.Validate(); err != nil {
		return Input{}, err
	}
	s := reader{client: client, opts: o, samples: map[types.UID]*sample{}}
	s.Taken = time.Now()
	s.Healthy = map[types.UID]int{}
	s.Paces, s.Unready, s.Workloads = map[types.UID]Pace{}, map[types.UID][]Unready{}, map[types.UID]Workload{}
	if !o.DisableEviction {
		if err := s.readBudgets(ctx); err != nil {
			return Input{}, err
		}
	}
	if err := s.readNodes(ctx, target); err != nil {
		return Input{}, err
	}
	if err := s.readPods(ctx); err != nil {
		return Input{}, err
	}
	if err := s.readOwners(ctx); err != nil {
		return Input{}, err
	}
	for uid, sample := range s.samples {
		if pace, known := sample.pace(); known {
			s.Paces[uid] = pace
		}
	}
	return s.Input, nil
}

// reader is a reading under way.
type reader struct {
	Input
	client  kubernetes.Interface
	opts    drain.Options
	samples map[types.UID]*sample
}

// readBudgets reads all budgets.
func (s *reader) readBudgets(ctx context.Context) error {
	api := s.client.PolicyV1()
	return bulklist.Each(ctx, bulklist.Request[policyv1.PodDisruptionBudget]{
		Resource: "poddisruptionbudgets.policy", Path: "poddisruptionbudgets", Wire: api.RESTClient(), Shape: bulklist.Without().Within(1,
			bulklist.WithoutManagers()),
		List: bulklist.ListOf(api.PodDisruptionBudgets(metav1.NamespaceAll).List,
			func(l *policyv1.PodDisruptionBudgetList) []policyv1.PodDisruptionBudget { return l.Items }),
	}, func(budget *policyv1.PodDisruptionBudget) { s.Budgets = append(s.Budgets, *budget) })
}

// readNodes reads all nodes, and finds those that are meant.
func (s *reader) readNodes(ctx context.Context, target drain.Target) error {
	api := s.client.CoreV1()
	var all []corev1.Node
	err := bulklist.Each(ctx, bulklist.Request[corev1.Node]{
		Resource: "nodes", Path: "nodes", Wire: api.RESTClient(), Shape: bulklist.NodeShape(),
		List: bulklist.ListOf(api.Nodes().List, func(l *corev1.NodeList) []corev1.Node { return l.Items }),
	}, func(node *corev1.Node) { all = append(all, *node) })
	if err != nil {
		return err
	}
	if s.Nodes, err = meant(all, target); err != nil {
		return err
	}
	s.Scope = drain.ScopeOf(s.Nodes)
	s.room = scheduling.New(all)
	drained := map[string]bool{}
	for i := range s.Nodes {
		drained[s.Nodes[i].Name] = true
	}
	for i := range all {
		if !drained[all[i].Name] && !all[i].Spec.Unschedulable && kube.NodeReady(&all[i]) {
			s.Elsewhere++
		}
	}
	return nil
}

// meant are the nodes of a target, in the order of readNodes.
func meant(all []corev1.Node, target drain.Target) ([]corev1.Node, error) {
	var out []corev1.Node
	if target.Selector != "" {
		selector, err := labels.Parse(target.Selector)
		if err != nil {
			return nil, plan.As(plan.Misused, err)
		}
		for _, node := range all {
			if selector.Matches(labels.Set(node.Labels)) {
				out = append(out, node)
			}
		}
		if len(out) == 0 {
			return nil, plan.Refuse(fmt.Errorf("no node matches %q", target.Selector), "see the labels there are: kubectl get nodes --show-labels")
		}
		sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
		return out, nil
	}
	byName := make(map[string]int, len(all))
	for i := range all {
		byName[all[i].Name] = i
	}
	seen := map[string]bool{}
	for _, name := range target.Names {
		i, exists := byName[name]
		if !exists {
			return nil, plan.Refuse(fmt.Errorf("node %q not found", name), "see the nodes there are: kubectl get nodes")
		}
		if !seen[name] {
			seen[name] = true
			out = append(out, all[i])
		}
	}
	return out, nil
}

// readPods reads all pods: those of the nodes are kept, the others counted.
func (s *reader) readPods(ctx context.Context) error {
	api := s.client.CoreV1()
	selector, err := labels.Parse(s.opts.PodSelector)
	if err != nil {
		return plan.As(plan.Misused, err)
	}
	ours := map[string]bool{}
	for _, node := range s.Nodes {
		ours[node.Name] = true
	}
	budgets := pdb.NewGuards(kube.Pointers(s.Budgets))
	broken := budgets.Broken()
	err = bulklist.Each(ctx, bulklist.Request[corev1.Pod]{
		Resource: "pods", Path: "pods", Wire: api.RESTClient(), Shape: bulklist.PodShape(),
		List: bulklist.ListOf(api.Pods(metav1.NamespaceAll).List, func(l *corev1.PodList) []corev1.Pod { return l.Items }),
	}, func(pod *corev1.Pod) {
		s.room.Add(pod)
		s.count(pod, budgets, broken)
		if ours[pod.Spec.NodeName] && selector.Matches(labels.Set(pod.Labels)) {
			s.Pods = append(s.Pods, *pod)
		}
	})
	for _, list := range s.Unready {
		slices.SortFunc(list, func(a, b Unready) int { return cmp.Compare(a.String(), b.String()) })
	}
	return err
}

// count notes how long a pod took to be Ready, and which budgets miss it if it
// is not.
func (s *reader) count(pod *corev1.Pod, budgets, broken pdb.Guards) {
	if kube.Finished(pod) {
		return
	}
	if kube.PodReady(pod) && pod.DeletionTimestamp == nil {
		for _, budget := range broken.Of(pod) {
			s.Healthy[budget.UID]++
		}
		if ref := metav1.GetControllerOf(pod); ref != nil && !kube.IsApps(ref, "DaemonSet") {
			one, known := s.samples[ref.UID]
			if !known {
				one = &sample{}
				s.samples[ref.UID] = one
			}
			one.add(pod)
		}
		return
	}
	for _, budget := range budgets.Of(pod) {
		if list := s.Unready[budget.UID]; len(list) < maxUnready {
			name := drain.Pod{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
			s.Unready[budget.UID] = append(list, Unready{Pod: name, Node: pod.Spec.NodeName, Why: unreadyBecause(pod)})
		}
	}
}

// readOwners reads what the pods of the nodes belong to and use.
func (s *reader) readOwners(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if s.AnyControlledBy("DaemonSet") {
		group.Go(func() error { return s.readDaemonSets(ctx) })
	}
	if s.AnyControlledBy("ReplicaSet") || s.AnyControlledBy("StatefulSet") {
		group.Go(func() error { return s.readWorkloads(ctx) })
	}
	var notes []string
	if slices.ContainsFunc(s.Pods, func(pod corev1.Pod) bool { return len(drain.ClaimsOf(&pod)) > 0 }) {
		group.Go(func() (err error) {
			notes, err = s.readVolumes(ctx)
			return err
		})
	}
	if s.AnyJob() {
		group.Go(func() error { return s.ReadJobs(ctx, s.client, s.opts.ChunkSize) })
	}
	group.Go(func() error {
		s.Admission = drain.ReadAdmission(ctx, s.client)
		return nil
	})
	err := group.Wait()
	s.Notes = append(s.Notes, notes...)
	return err
}
