// SPDX-License-Identifier: Apache-2.0

package drain

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

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Outlook is what a forecast needs to know: of the nodes all that a drain does,
// and of the rest of the cluster what budgets, replacements and room depend on.
type Outlook struct {
	Snapshot
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
	// Notes say what could not be read.
	Notes []string
	// Admission is who is asked before pods leave.
	Admission Admission
	room      *room
}

// Workload is a controller of pods as far as a forecast looks at it.
type Workload struct {
	Replicas int32
	Paused   bool
	Releases []Release
}

// maxUnready is how many pods that are not Ready are named for one budget.
const maxUnready = 5

// Scout reads what Foresee needs: one list for each kind, over the whole
// cluster, of which no more is kept than is needed. It only reads.
//
// A missing node or permission is refused as by Survey; what is only good for
// advice may be unreadable, and is noted.
func Scout(ctx context.Context, client kubernetes.Interface, target Target, o Options) (Outlook, error) {
	if err := o.Validate(); err != nil {
		return Outlook{}, err
	}
	if err := target.Validate(); err != nil {
		return Outlook{}, err
	}
	s := scout{client: client, opts: o, samples: map[types.UID]*sample{}}
	s.Taken = time.Now()
	s.Healthy = map[types.UID]int{}
	s.Paces, s.Unready, s.Workloads = map[types.UID]Pace{}, map[types.UID][]Unready{}, map[types.UID]Workload{}
	if !o.DisableEviction {
		if err := s.readBudgets(ctx); err != nil {
			return Outlook{}, err
		}
	}
	if err := s.readNodes(ctx, target); err != nil {
		return Outlook{}, err
	}
	if err := s.readPods(ctx); err != nil {
		return Outlook{}, err
	}
	if err := s.readOwners(ctx); err != nil {
		return Outlook{}, err
	}
	for uid, sample := range s.samples {
		if pace, known := sample.pace(); known {
			s.Paces[uid] = pace
		}
	}
	return s.Outlook, nil
}

// scout is a reading under way.
type scout struct {
	Outlook
	client  kubernetes.Interface
	opts    Options
	samples map[types.UID]*sample
}

// readBudgets reads all budgets.
func (s *scout) readBudgets(ctx context.Context) error {
	api := s.client.PolicyV1()
	return each(ctx, bulk[policyv1.PodDisruptionBudget]{
		resource: "poddisruptionbudgets.policy", path: "poddisruptionbudgets", wire: api.RESTClient(), shape: less().within(1, withoutManagers()),
		list: listOf(api.PodDisruptionBudgets(metav1.NamespaceAll).List, func(l *policyv1.PodDisruptionBudgetList) []policyv1.PodDisruptionBudget { return l.Items }),
	}, func(pdb *policyv1.PodDisruptionBudget) { s.Budgets = append(s.Budgets, *pdb) })
}

// readNodes reads all nodes, and finds those that are meant.
func (s *scout) readNodes(ctx context.Context, target Target) error {
	api := s.client.CoreV1()
	var all []corev1.Node
	err := each(ctx, bulk[corev1.Node]{
		resource: "nodes", path: "nodes", wire: api.RESTClient(), shape: nodeShape(),
		list: listOf(api.Nodes().List, func(l *corev1.NodeList) []corev1.Node { return l.Items }),
	}, func(node *corev1.Node) { all = append(all, *node) })
	if err != nil {
		return err
	}
	if s.Nodes, err = meant(all, target); err != nil {
		return err
	}
	s.Scope = ScopeOf(s.Nodes)
	s.room = newRoom(all)
	return nil
}

// meant are the nodes of a target, in the order of readNodes.
func meant(all []corev1.Node, target Target) ([]corev1.Node, error) {
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
func (s *scout) readPods(ctx context.Context) error {
	api := s.client.CoreV1()
	selector, err := labels.Parse(s.opts.PodSelector)
	if err != nil {
		return plan.As(plan.Misused, err)
	}
	ours := map[string]bool{}
	for _, node := range s.Nodes {
		ours[node.Name] = true
	}
	budgets := newGuards(pointers(s.Budgets))
	broken := budgets.broken()
	err = each(ctx, bulk[corev1.Pod]{
		resource: "pods", path: "pods", wire: api.RESTClient(), shape: podShape(),
		list: listOf(api.Pods(metav1.NamespaceAll).List, func(l *corev1.PodList) []corev1.Pod { return l.Items }),
	}, func(pod *corev1.Pod) {
		s.room.add(pod)
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
func (s *scout) count(pod *corev1.Pod, budgets, broken guards) {
	if finished(pod) {
		return
	}
	if ready(pod) && pod.DeletionTimestamp == nil {
		for _, pdb := range broken.of(pod) {
			s.Healthy[pdb.UID]++
		}
		if ref := metav1.GetControllerOf(pod); ref != nil && !isApps(ref, "DaemonSet") {
			one, known := s.samples[ref.UID]
			if !known {
				one = &sample{}
				s.samples[ref.UID] = one
			}
			one.add(pod)
		}
		return
	}
	for _, pdb := range budgets.of(pod) {
		if list := s.Unready[pdb.UID]; len(list) < maxUnready {
			name := Pod{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
			s.Unready[pdb.UID] = append(list, Unready{Pod: name, Node: pod.Spec.NodeName, Why: unreadyBecause(pod)})
		}
	}
}

// unreadyBecause says why a pod is not Ready.
func unreadyBecause(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return "is stopping"
	}
	var waits string
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		switch {
		case waits != "" || c.Ready:
		case c.State.Waiting != nil && c.State.Waiting.Reason != "PodInitializing" && c.State.Waiting.Reason != "ContainerCreating":
			waits = "container " + c.Name + ": " + c.State.Waiting.Reason
		case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
			waits = fmt.Sprintf("container %s: exit code %d", c.Name, c.State.Terminated.ExitCode)
		}
	}
	if waits != "" {
		return waits
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "Pending: " + choose(c.Message == "", c.Reason, c.Message)
		}
	}
	if pod.Status.Phase == corev1.PodPending {
		return choose(pod.Spec.NodeName == "", "Pending", "starting")
	}
	return "running, and not Ready"
}

// readOwners reads what the pods of the nodes belong to and use.
func (s *scout) readOwners(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if s.anyControlledBy("DaemonSet") {
		group.Go(func() error { return s.readDaemonSets(ctx) })
	}
	if s.anyControlledBy("ReplicaSet") || s.anyControlledBy("StatefulSet") {
		group.Go(func() error { return s.readWorkloads(ctx) })
	}
	var notes []string
	if slices.ContainsFunc(s.Pods, func(pod corev1.Pod) bool { return len(ClaimsOf(&pod)) > 0 }) {
		group.Go(func() (err error) {
			notes, err = s.readVolumes(ctx)
			return err
		})
	}
	if s.anyJob() {
		group.Go(func() error { return s.readJobs(ctx, s.client, s.opts.ChunkSize) })
	}
	group.Go(func() error {
		s.Admission = ReadAdmission(ctx, s.client)
		return nil
	})
	err := group.Wait()
	s.Notes = append(s.Notes, notes...)
	return err
}
