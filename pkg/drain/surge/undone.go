// SPDX-License-Identifier: Apache-2.0

package surge

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// lookEvery is how often the Deployments are looked at while they drain: one
// list.
const lookEvery = 5 * time.Second

// Undone is a measure that something else has undone while the drain needs it.
type Undone struct {
	Measure Measure
	// Why names who did it, as far as the API server has noted that, and WayOut what can
	// be done.
	Why, WayOut string
}

// Watch looks at the Deployments of measures that were begun until the context ends, and
// tells of each once that something else has undone: an autoscaler, a tool that keeps
// the Deployment as its source has it, a person. A look that fails is repeated.
func Watch(ctx context.Context, client kubernetes.Interface, measures []Measure, tell func(Undone)) {
	open := map[types.UID]Measure{}
	for _, m := range measures {
		if m.Refused == "" {
			open[m.UID] = m
		}
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for len(open) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		there, err := look(ctx, client, open)
		if err != nil {
			continue
		}
		for uid, m := range open {
			d := there[uid]
			if d == nil { // it is gone, and its pods go with it
				delete(open, uid)
			} else if u, is := m.undone(d); is {
				delete(open, uid)
				tell(u)
			}
		}
	}
}

// look reads the Deployments of some measures: in one list, and those one by one whose
// label something has removed.
func look(ctx context.Context, client kubernetes.Interface, open map[types.UID]Measure) (map[types.UID]*appsv1.Deployment, error) {
	out := map[types.UID]*appsv1.Deployment{}
	list, err := client.AppsV1().Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: label})
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		out[list.Items[i].UID] = &list.Items[i]
	}
	for uid, m := range open {
		if out[uid] != nil {
			continue
		}
		d, err := client.AppsV1().Deployments(m.Namespace).Get(ctx, m.Name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		if err == nil && d.UID == uid {
			out[uid] = d
		}
	}
	return out, nil
}

// undone reports whether a Deployment is not any more as the measure has made it. More
// replicas than that do no harm. It is pure.
func (m Measure) undone(d *appsv1.Deployment) (Undone, bool) {
	name, u := "Deployment "+m.Namespace+"/"+m.Name, Undone{Measure: m}
	again := "then the same command again"
	now := kube.Wanted(d.Spec.Replicas)
	switch {
	case m.Mode == Auto && now < m.To:
		by := setBy(d, "f:spec", "f:replicas")
		u.Why = fmt.Sprintf("%s has %d instead of the %d replicas that the surge gave it%s, so the budget %s stays closed", name, now, m.To,
			by.said(), m.Budget)
		u.WayOut = wayOut(m, d, by) + ", " + again + "; or, without a change of the number: --surge=restart"
	case m.Mode == Restart && d.Spec.Paused:
		u.Why = "the rollout of " + name + " was paused" + setBy(d, "f:spec", "f:paused").said() + ", so the restart goes no further"
		u.WayOut = text.Command("kubectl", "-n", m.Namespace, "rollout", "resume", "deployment/"+m.Name) + ", " + again
	case m.Mode == Restart && !m.at.IsZero() && restartOf(d).Before(m.at):
		u.Why = "the restart of " + name + " was undone" + setBy(d, "f:spec", "f:template").said() + ", so its pods stay"
		u.WayOut = "find out who wants that, and why; " + again
	default:
		return u, false
	}
	return u, true
}

// restartOf is when a Deployment was last restarted; zero if never, or not to be read.
func restartOf(d *appsv1.Deployment) time.Time {
	at, _ := time.Parse(time.RFC3339, d.Spec.Template.Annotations[restartedAt])
	return at
}

// wayOut is what keeps the number of replicas from being put back.
func wayOut(m Measure, d *appsv1.Deployment, by writer) string {
	switch release := undoer(d); {
	case release != nil:
		return fmt.Sprintf("%s: give it %d replicas there, or pause that, while the node is drained", release.Undoes(), m.To)
	case by.subresource == "scale" && by.manager == "kube-controller-manager":
		return fmt.Sprintf("an autoscaler sets it; give it at least %d replicas (minReplicas; kubectl -n %s get hpa)", m.To,
			text.Quote(m.Namespace))
	}
	return "find out who wants that, and why"
}

// writer is who has last written a field, as the API server has noted it.
type writer struct{ manager, subresource string }

func (w writer) said() string {
	if w.manager == "" {
		return ""
	}
	return " (set by " + text.Short(w.manager, 80) + text.Choose(w.subresource == "scale", ", scaling", "") + ")"
}

// setBy is the writer of a field, the latest one if there are several; none if it was
// not noted.
func setBy(d *appsv1.Deployment, path ...string) (w writer) {
	var latest time.Time
	for _, entry := range d.ManagedFields {
		if entry.FieldsV1 == nil || entry.Time != nil && entry.Time.Time.Before(latest) || !owns(entry.FieldsV1.GetRawBytes(), path) {
			continue
		}
		w = writer{entry.Manager, entry.Subresource}
		if entry.Time != nil {
			latest = entry.Time.Time
		}
	}
	return w
}

func owns(fields []byte, path []string) bool {
	for _, name := range path {
		var inside map[string]json.RawMessage
		if json.Unmarshal(fields, &inside) != nil || inside[name] == nil {
			return false
		}
		fields = inside[name]
	}
	return true
}
