// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// NoteAnnotation is the annotation of a Node that says who cordoned it, when
// and why. A node that is cordoned without one was cordoned by another client,
// and is left so when a drain is taken back.
const NoteAnnotation = "lifecycle.kubectl.io/cordon"

// takeBackTime is how long it may take to make nodes schedulable again.
const takeBackTime = time.Minute

// Note is what a cordon leaves on a Node.
type Note struct {
	// By is who did it, in the caller's words: "ann@laptop".
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at,omitzero"`
	Reason string    `json:"reason,omitempty"`
	// Drain is true if the cordon is only for the time of a drain or of more than that,
	// which may be taken back with it: a person who cordons means the cordon.
	Drain bool `json:"drain,omitempty"`
}

// String is "by ann@laptop at 2026-05-04T03:02:01Z: new disks".
func (n Note) String() string {
	words := "by " + text.Choose(n.By == "", "an unknown user", n.By) + " at " + n.At.UTC().Format(time.RFC3339)
	return words + text.Choose(n.Reason == "", "", ": "+n.Reason)
}

// NoteOf reads the note of a Node; what cannot be read is none, and neither is one that
// is about an earlier cordon: kubectl uncordon leaves the note, and the next cordon may
// be another's, who means it.
func NoteOf(node *corev1.Node) (Note, bool) {
	var n Note
	words, ok := node.Annotations[NoteAnnotation]
	if !ok || json.Unmarshal([]byte(words), &n) != nil || cordonedSince(node) {
		return Note{}, false
	}
	return n, true
}

// cordonedSince reports whether another than who left the note has cordoned a node
// since: the API server notes whose field each is. Where it does not, the note counts.
func cordonedSince(node *corev1.Node) bool {
	others := false
	for _, entry := range node.ManagedFields {
		var set struct {
			Metadata struct {
				Annotations map[string]json.RawMessage `json:"f:annotations"`
			} `json:"f:metadata"`
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &set) != nil {
			continue
		}
		if _, cordons := set.Spec["f:unschedulable"]; cordons {
			if _, notes := set.Metadata.Annotations["f:"+NoteAnnotation]; notes {
				return false
			}
			others = true
		}
	}
	return others
}

// Scheduling is a change of whether new pods are placed on a node.
type Scheduling struct {
	Unschedulable bool
	// Note is left on the Node by a cordon, and removed with it.
	Note Note
	// DryRun asks the server and changes nothing.
	DryRun bool
	// Tell is told, if it is there, why the conditions of a drain could not be
	// removed from a node that takes pods again.
	Tell func(error)
}

// Apply makes one node unschedulable, or schedulable again, and reports whether
// it had to change anything. A cordon that fails is an error, unlike in
// kubectl, which goes on and evicts (kubernetes/kubectl#1568); so is one that
// the server accepts but something takes back.
func (s Scheduling) Apply(ctx context.Context, client kubernetes.Interface, node string) (changed bool, err error) {
	found, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return false, kube.UnreadNode(err, node)
	}
	if changed, err = s.apply(ctx, client, stateOf(found)); err != nil {
		return changed, err
	}
	if !s.Unschedulable && !s.DryRun && marked(found) {
		if err := Mark(ctx, client, []string{node}, NotDraining); err != nil && s.Tell != nil {
			s.Tell(err)
		}
	}
	return changed, nil
}

// Would only reads: it reports whether Apply would have to change anything.
func (s Scheduling) Would(ctx context.Context, client kubernetes.Interface, node string) (bool, error) {
	found, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return false, kube.UnreadNode(err, node)
	}
	return !s.done(stateOf(found)), nil
}

// done reports whether nothing is to be changed. A person's cordon of a node that is cordoned for
// the time of a drain changes its note: what would take the drain's cordon back must leave this one.
func (s Scheduling) done(node NodeState) bool {
	meant := s.Unschedulable && !s.Note.Drain && node.Note != nil && node.Note.Drain
	return node.Cordoned == s.Unschedulable && !meant
}

// apply does it with what is known of the node, in one request.
func (s Scheduling) apply(ctx context.Context, client kubernetes.Interface, node NodeState) (bool, error) {
	verb := text.Choose(s.Unschedulable, "cordon", "uncordon")
	if s.done(node) {
		return false, nil
	}
	options := metav1.PatchOptions{}
	if s.DryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	patch, err := s.patch(node.UID)
	if err != nil {
		return false, fmt.Errorf("%s node %q: %w", verb, node.Name, err)
	}
	after, err := client.CoreV1().Nodes().Patch(ctx, node.Name, types.StrategicMergePatchType, patch, options)
	switch {
	case err != nil:
		d := ReadDenial(err, Right{"patch", "nodes"})
		return false, Locate(ctx, client, d).Err(fmt.Sprintf("%s node %q", verb, node.Name), err)
	case after.Spec.Unschedulable != s.Unschedulable:
		return false, plan.Refuse(fmt.Errorf("%s node %q: the API server accepted the change but did not make it", verb, node.Name),
			"an admission webhook reverts it; see: kubectl get mutatingwebhookconfigurations")
	}
	return true, nil
}

// patch holds the UID, so that the server refuses if it is another Node by now.
func (s Scheduling) patch(uid types.UID) ([]byte, error) {
	var note any
	if s.Unschedulable {
		words, err := json.Marshal(s.Note)
		if err != nil {
			return nil, err
		}
		note = string(words)
	}
	return json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": uid, "annotations": map[string]any{NoteAnnotation: note}},
		"spec":     map[string]any{"unschedulable": s.Unschedulable},
	})
}

// Cordon cordons every node of a decision that is not, in one request each, and
// returns their names. If one fails, the others are made schedulable again, so
// that nothing has changed; the error says so if that, too, fails.
func Cordon(ctx context.Context, client kubernetes.Interface, d Decision, note Note) (cordoned []string, err error) {
	s := Scheduling{Unschedulable: true, Note: note}
	var group errgroup.Group
	group.SetLimit(readers)
	var mu sync.Mutex
	done := map[string]NodeState{}
	for _, node := range d.ToCordon() {
		group.Go(func() error {
			changed, err := s.apply(ctx, client, node)
			mu.Lock()
			defer mu.Unlock()
			if changed {
				node.Cordoned = true
				done[node.Name] = node
			}
			return err
		})
	}
	err = group.Wait()
	for _, node := range d.Nodes {
		if _, ok := done[node.Name]; ok {
			cordoned = append(cordoned, node.Name)
		}
	}
	if err == nil || len(cordoned) == 0 {
		return cordoned, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTime)
	defer cancel()
	for _, node := range done {
		if _, back := (Scheduling{}).apply(ctx, client, node); back != nil {
			err = plan.As(plan.Broken, plan.Hint(errors.Join(err, back), "take it back yourself: kubectl lifecycle uncordon %s",
				text.Quote(node.Name)))
		}
	}
	return nil, err
}

// cordonTaint is the taint that the scheduler sees on a cordoned node
// (node_unschedulable.go of the scheduler, Kubernetes 1.37).
func cordonTaint() *corev1.Taint {
	return &corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
}

// entrance says how a pod gets past a cordon; empty if it does not.
func entrance(pod *corev1.Pod) string {
	t := kube.Toleration(pod, cordonTaint())
	switch {
	case t == nil:
		return ""
	case t.Key == "":
		return "it tolerates every taint"
	}
	return "it tolerates the taint of a cordon"
}

// Arrival says how a pod that is on a cordoned node may have come there. Only the
// toleration is certain: how else it came cannot be seen on the pod.
func Arrival(pod *corev1.Pod) string {
	if why := entrance(pod); why != "" {
		return why
	}
	if name := pod.Spec.SchedulerName; name != "" && name != corev1.DefaultSchedulerName {
		return "it does not tolerate the cordon: the scheduler " + name + " put it there, or it was bound before the cordon took effect"
	}
	return "it does not tolerate the cordon: it was bound before the cordon took effect, or without the scheduler"
}
