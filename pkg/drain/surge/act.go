// SPDX-License-Identifier: Apache-2.0

package surge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// label is the label and the annotation of a Deployment that a drain has
// changed. The label is for finding it, the annotation says what it was before.
const label = "lifecycle.kubectl.io/surge"

// restartedAt is what "kubectl rollout restart" changes, too.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// journal is what a Deployment remembers while it is changed.
type journal struct {
	Mode  Mode      `json:"mode"`
	From  int32     `json:"from,omitempty"`
	To    int32     `json:"to,omitempty"`
	Nodes []string  `json:"nodes"`
	By    string    `json:"by,omitempty"`
	At    time.Time `json:"at"`
}

// journalOf reads the journal of a Deployment; what cannot be read is none.
func journalOf(d *appsv1.Deployment) (journal, bool) {
	var j journal
	words, ok := d.Annotations[label]
	return j, ok && json.Unmarshal([]byte(words), &j) == nil
}

// readers bounds the reads under way at once.
const readers = 16

// Read reads what Decide needs but the number of other nodes (CountOthers): the
// Deployments, the claims and the autoscalers concerned. Where no budget is stuck it
// asks for nothing.
func Read(ctx context.Context, client kubernetes.Interface, s drain.Snapshot, d drain.Decision) (Facts, error) {
	f := Facts{
		Deployments: map[types.UID]*appsv1.Deployment{}, Budgets: map[string]*policyv1.PodDisruptionBudget{},
		Scaled: map[string]string{}, Single: map[string]bool{},
	}
	for i := range s.Budgets {
		f.Budgets[s.Budgets[i].Namespace+"/"+s.Budgets[i].Name] = &s.Budgets[i]
	}
	var mu sync.Mutex
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	seen := map[types.UID]bool{}
	for _, v := range d.ToEvict() {
		if !stuck(v) || seen[v.Owners[len(v.Owners)-1].UID] {
			continue
		}
		top := v.Owners[len(v.Owners)-1]
		seen[top.UID] = true
		group.Go(func() error {
			found, single, err := readDeployment(reading, client, v.Namespace, top)
			mu.Lock()
			defer mu.Unlock()
			if found != nil {
				f.Deployments[found.UID] = found
				maps.Copy(f.Single, single)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil || len(f.Deployments) == 0 {
		return f, err
	}
	scalers, err := client.AutoscalingV2().HorizontalPodAutoscalers(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return f, kube.UnreadList(err, "horizontalpodautoscalers.autoscaling")
	}
	for _, h := range scalers.Items {
		if ref := h.Spec.ScaleTargetRef; ref.Kind == "Deployment" {
			f.Scaled[h.Namespace+"/"+ref.Name] = "HorizontalPodAutoscaler " + h.Name
		}
	}
	return f, nil
}

// CountOthers counts the nodes that the pods of a decision can go to.
func CountOthers(ctx context.Context, client kubernetes.Interface, d drain.Decision) (others int, err error) {
	nodes, err := kube.ListNodes(ctx, client, metav1.ListOptions{})
	for i := range nodes {
		if away := slices.Contains(d.Names(), nodes[i].Name); !away && !nodes[i].Spec.Unschedulable && kube.NodeReady(&nodes[i]) {
			others++
		}
	}
	return others, err
}

// readDeployment reads one Deployment, nil if it is not there any more, and which claims
// of its template one node may mount at a time.
func readDeployment(
	ctx context.Context, client kubernetes.Interface, namespace string, owner drain.Owner,
) (*appsv1.Deployment, map[string]bool, error) {
	d, err := client.AppsV1().Deployments(namespace).Get(ctx, owner.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || err == nil && d.UID != owner.UID:
		return nil, nil, nil
	case err != nil:
		return nil, nil, kube.UnreadList(err, "deployments.apps")
	}
	claims := map[string]bool{}
	for _, volume := range d.Spec.Template.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil {
			continue
		}
		name := volume.PersistentVolumeClaim.ClaimName
		pvc, err := client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, nil, kube.UnreadList(err, "persistentvolumeclaims")
		}
		claims[namespace+"/"+name] = err != nil || single(pvc)
	}
	return d, claims, nil
}

// Begin begins the measures that are not refused and not begun yet, in one patch
// each, which leaves a journal on the Deployment. When it was begun is noted in the
// measure.
func Begin(ctx context.Context, client kubernetes.Interface, measures []Measure, by string) error {
	for i, m := range measures {
		if m.Refused != "" || m.Begun {
			continue
		}
		now := time.Now().UTC().Truncate(time.Second)
		words, err := json.Marshal(journal{Mode: m.Mode, From: m.From, To: m.To, Nodes: m.Nodes, By: by, At: now})
		if err != nil {
			return err
		}
		meta := map[string]any{"uid": m.UID, "labels": map[string]any{label: "true"}, "annotations": map[string]any{label: string(words)}}
		spec := map[string]any{"replicas": m.To}
		if m.Mode == Restart {
			stamp := map[string]any{restartedAt: now.Format(time.RFC3339)}
			spec = map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": stamp}}}
		}
		if err := patchDeployment(ctx, client, m.Namespace, m.Name, map[string]any{"metadata": meta, "spec": spec}); err != nil {
			return err
		}
		measures[i].at = now
	}
	return nil
}

// patchDeployment changes a Deployment; the UID, and the version where there is
// one, keep it from reaching another.
func patchDeployment(ctx context.Context, client kubernetes.Interface, namespace, name string, change map[string]any) error {
	patch, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = client.AppsV1().Deployments(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err == nil {
		return nil
	}
	d := drain.Locate(ctx, client, drain.ReadDenial(err, drain.Right{Verb: "patch", Resource: "deployments.apps"}))
	d.WayOut += "; or leave out --surge"
	return d.Err(fmt.Sprintf("change deployment %s/%s", namespace, name), err)
}

// Find finds the Deployments that a drain of some of the nodes has
// changed, in this run or an earlier one; and those whose note of that something else
// has removed or damaged, since nothing tells of which drain they are.
func Find(ctx context.Context, client kubernetes.Interface, nodes []string) ([]Measure, error) {
	list, err := client.AppsV1().Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: label})
	if err != nil {
		return nil, kube.UnreadList(err, "deployments.apps")
	}
	var out []Measure
	for i := range list.Items {
		d := &list.Items[i]
		j, ok := journalOf(d)
		if !ok {
			out = append(out, Measure{Namespace: d.Namespace, Name: d.Name, UID: d.UID, Begun: true, noteLost: true})
			continue
		}
		if !slices.ContainsFunc(j.Nodes, func(n string) bool { return slices.Contains(nodes, n) }) {
			continue
		}
		out = append(out, Measure{Namespace: d.Namespace, Name: d.Name, UID: d.UID, Mode: j.Mode, From: j.From, To: j.To,
			Nodes: j.Nodes, Begun: true})
	}
	return out, nil
}

// Left are those of some measures that this run has begun and not found again by what it
// noted on the Deployments: something else has removed that, as a tool does that keeps
// only what its source has.
func Left(begun, found []Measure) []Measure {
	return slices.DeleteFunc(slices.Clone(begun), func(m Measure) bool {
		return m.Refused != "" || m.at.IsZero() || slices.ContainsFunc(found, func(f Measure) bool { return f.UID == m.UID && !f.noteLost })
	})
}

// Revert takes a measure back: the Deployment has its replicas again, unless
// another client has changed their number since, and no journal. Taking back
// what is taken back already is no error. Where the journal is gone, what this run
// knows of the measure counts.
func Revert(ctx context.Context, client kubernetes.Interface, m Measure) (said string, err error) {
	const tries = 5
	for range tries {
		said, err = revert(ctx, client, m)
		if !apierrors.IsConflict(err) {
			break
		}
	}
	return said, err
}

func revert(ctx context.Context, client kubernetes.Interface, m Measure) (string, error) {
	d, err := client.AppsV1().Deployments(m.Namespace).Get(ctx, m.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && d.UID != m.UID {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read deployment %s/%s: %w", m.Namespace, m.Name, err)
	}
	j, ok := journalOf(d)
	if !ok {
		return m.revertWithoutNote(ctx, client, d)
	}
	change := map[string]any{"metadata": map[string]any{
		"uid": d.UID, "resourceVersion": d.ResourceVersion, "labels": map[string]any{label: nil}, "annotations": map[string]any{label: nil},
	}}
	said := ""
	switch now := kube.Wanted(d.Spec.Replicas); {
	case j.Mode == Restart:
		said = fmt.Sprintf("Deployment %s/%s was restarted", m.Namespace, m.Name)
	case now != j.To:
		said = fmt.Sprintf("Deployment %s/%s keeps its replicas, %d: they were %d for the drain, and something else has changed that since",
			m.Namespace, m.Name, now, j.To)
	default:
		change["spec"] = map[string]any{"replicas": j.From}
		said = fmt.Sprintf("Deployment %s/%s has %s again", m.Namespace, m.Name, text.Choose(j.From == 1, "1 replica",
			fmt.Sprintf("%d replicas", j.From)))
	}
	return said, patchDeployment(ctx, client, m.Namespace, m.Name, change)
}

// revertWithoutNote takes back what this run has changed, if it is as it was left, and
// says what it knows nothing about.
func (m Measure) revertWithoutNote(ctx context.Context, client kubernetes.Interface, d *appsv1.Deployment) (string, error) {
	now, name := kube.Wanted(d.Spec.Replicas), fmt.Sprintf("Deployment %s/%s", m.Namespace, m.Name)
	switch {
	case m.noteLost:
		return fmt.Sprintf("%s has the label of a surge, and something else has removed or changed the note of what it was before: it has %d "+
			"replicas now; if those are too many, scale it; then: %s", name, now,
			text.Command("kubectl", "-n", m.Namespace, "label", "deployment", m.Name, label+"-")), nil
	case m.Mode != Auto || m.at.IsZero() || now != m.To:
		return "", nil
	}
	change := map[string]any{
		"metadata": map[string]any{"uid": d.UID, "resourceVersion": d.ResourceVersion, "labels": map[string]any{label: nil},
			"annotations": map[string]any{label: nil}},
		"spec": map[string]any{"replicas": m.From},
	}
	return fmt.Sprintf("%s has its %d replicas again; something else had removed the note of the surge from it", name, m.From),
		patchDeployment(ctx, client, m.Namespace, m.Name, change)
}
