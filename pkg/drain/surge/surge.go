// SPDX-License-Identifier: Apache-2.0

package surge

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Mode says what may be done for Deployments whose budget never lets a pod
// go.
type Mode string

// The modes.
const (
	// SurgeOff: nothing.
	Off Mode = "off"
	// Auto: more replicas where those make room, else a rolling restart.
	Auto Mode = "auto"
	// Restart: a rolling restart.
	Restart Mode = "restart"
)

// Validate returns an error of class plan.Misused for an unknown mode.
func (m Mode) Validate() error {
	if m == Off || m == Auto || m == Restart {
		return nil
	}
	return plan.As(plan.Misused, fmt.Errorf("--surge must be auto, restart or off, not %q", m))
}

// Measure is what is done, or is not, for one Deployment.
type Measure struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
	// Budget is the one that never opens.
	Budget string `json:"budget"`
	// Mode is Auto for more replicas, From as many to To as many, and
	// Restart for a rolling restart.
	Mode Mode  `json:"mode"`
	From int32 `json:"from,omitempty"`
	To   int32 `json:"to,omitempty"`
	// AtOnce is how many pods a restart replaces at a time.
	AtOnce int32 `json:"atOnce,omitempty"`
	// Pods are those that have to leave, and Nodes where they are.
	Pods  []drain.Pod `json:"pods"`
	Nodes []string    `json:"nodes"`
	// Refused says why it is not done; empty if it is.
	Refused string `json:"refused,omitempty"`
	// Fixed is true if no other way to more replicas helps either.
	Fixed bool `json:"-"`
	// Begun is true if an earlier drain has begun it.
	Begun bool `json:"begun,omitempty"`
	// Undoer is the tool that puts the number of replicas back by itself; nil if none.
	Undoer *managedby.Release `json:"undoer,omitempty"`
	// at is when it was begun.
	at time.Time
	// noteLost says that the Deployment has the label of a surge and no note of what it
	// was before that can be read.
	noteLost bool
}

// String says what is done: "Deployment git/gitea: 2 replicas instead of 1 while
// it drains".
func (m Measure) String() string {
	name := "Deployment " + m.Namespace + "/" + m.Name
	switch {
	case m.Refused != "":
		return name + " is left as it is: " + m.Refused
	case m.Mode == Restart:
		return name + ": a rolling restart, which moves its pods away without asking the budget " + m.Budget
	}
	said := fmt.Sprintf("%s: %d replicas instead of %d while it drains, so that the budget %s opens", name, m.To, m.From, m.Budget)
	if m.Undoer != nil {
		said += fmt.Sprintf("; %s. If the budget stays closed, --surge=restart changes no number", m.Undoer.Undoes())
	}
	return said
}

// undoer is the tool that would put a Deployment's replicas back while it drains, as a
// GitOps controller with self-heal does. Helm only does so when a person upgrades.
func undoer(d *appsv1.Deployment) *managedby.Release {
	for _, release := range managedby.Of(d) {
		if release.Tool != managedby.Helm {
			return &release
		}
	}
	return nil
}

// Facts are what Decide needs to know beyond the decision.
type Facts struct {
	// Deployments are those whose pods have to leave, by UID.
	Deployments map[types.UID]*appsv1.Deployment
	// Budgets are by namespace/name.
	Budgets map[string]*policyv1.PodDisruptionBudget
	// Scaled are the Deployments (namespace/name) that an autoscaler owns.
	Scaled map[string]string
	// Single are the claims (namespace/name) that one node, or one pod, may
	// mount at a time.
	Single map[string]bool
	// Others is the number of nodes that pods can go to.
	Others int
}

// Decide says for every Deployment whose budget can never allow an
// eviction what is done about it, and why not. It is pure; the result is sorted.
func Decide(d drain.Decision, f Facts, mode Mode) []Measure {
	byUID := map[types.UID]*Measure{}
	if mode == Off {
		return nil
	}
	for _, v := range d.ToEvict() {
		if !stuck(v) {
			continue
		}
		top := v.Owners[len(v.Owners)-1]
		m := byUID[top.UID]
		if m == nil {
			m = &Measure{Namespace: v.Namespace, Name: top.Name, UID: top.UID, Budget: v.Budgets[0].String()}
			byUID[top.UID] = m
		}
		m.Pods = append(m.Pods, v.Pod)
		if !slices.Contains(m.Nodes, v.Node) {
			m.Nodes = append(m.Nodes, v.Node)
		}
	}
	var out []Measure
	for _, m := range byUID {
		m.decide(f, mode)
		out = append(out, *m)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Namespace+"/"+out[i].Name < out[j].Namespace+"/"+out[j].Name })
	return out
}

// stuck reports whether one budget, that never opens, keeps a Deployment's pod.
func stuck(v drain.Verdict) bool {
	return v.Action == drain.ActionEvict && v.Reason != drain.ReasonFinished && len(v.Budgets) == 1 && v.Budgets[0].Never &&
		len(v.Owners) > 0 && v.Owners[len(v.Owners)-1].Kind == "Deployment"
}

// decide fills in what is done.
func (m *Measure) decide(f Facts, mode Mode) {
	d, pdb := f.Deployments[m.UID], f.Budgets[m.Budget]
	if d == nil || pdb == nil {
		m.Refused = "it cannot be read"
		return
	}
	m.Mode, m.From, m.AtOnce = Restart, kube.Wanted(d.Spec.Replicas), atOnce(d)
	if need, helps := shortfall(pdb); mode == Auto && helps {
		m.Mode, m.To, m.AtOnce, m.Undoer = Auto, m.From+need, 0, undoer(d)
	}
	if j, ok := journalOf(d); ok {
		m.Begun, m.Mode, m.From, m.To, m.at = true, j.Mode, j.From, j.To, j.At.Truncate(time.Second)
		return
	}
	fixed := m.fixed(d, f)
	m.Fixed = fixed != nil
	if err := cmp.Or(fixed, m.stands(d), m.possible(d)); err != nil {
		m.Refused = err.Error()
	}
}

// atOnce is how many pods a rolling update of the Deployment replaces at a time (its
// controller rounds as is done here).
func atOnce(d *appsv1.Deployment) int32 {
	quarter := intstr.FromString("25%")
	more, fewer := &quarter, &quarter
	if r := d.Spec.Strategy.RollingUpdate; r != nil {
		more, fewer = cmp.Or(r.MaxSurge, more), cmp.Or(r.MaxUnavailable, fewer)
	}
	replicas := int(kube.Wanted(d.Spec.Replicas))
	up, err := intstr.GetScaledValueFromIntOrPercent(more, replicas, true)
	down, err2 := intstr.GetScaledValueFromIntOrPercent(fewer, replicas, false)
	if err != nil || err2 != nil {
		return 1
	}
	return int32(min(max(up+down, 1), max(replicas, 1)))
}

// shortfall is how many more Ready pods a budget needs before one may go. Only a
// whole number of available pods stays what it is when there are more of them:
// percentages grow with them, and so does "none may be unavailable".
func shortfall(pdb *policyv1.PodDisruptionBudget) (more int32, helps bool) {
	if pdb.Spec.MinAvailable == nil || pdb.Spec.MinAvailable.Type != intstr.Int {
		return 0, false
	}
	return pdb.Status.DesiredHealthy + 1 - pdb.Status.ExpectedPods, true
}

// fixed is what keeps more pods of a Deployment from running, by whatever means they are asked for.
func (m *Measure) fixed(d *appsv1.Deployment, f Facts) error {
	if owner := f.Scaled[m.Namespace+"/"+m.Name]; owner != "" {
		return fmt.Errorf("%s sets its number of replicas", owner)
	}
	if f.Others == 0 {
		return errors.New("there is no other node that its pods could go to")
	}
	for _, volume := range d.Spec.Template.Spec.Volumes {
		if c := volume.PersistentVolumeClaim; c != nil && f.Single[m.Namespace+"/"+c.ClaimName] {
			return fmt.Errorf("its volume (claim %s) can be mounted by one node at a time", c.ClaimName)
		}
	}
	return nil
}

// stands is what keeps it from being touched now.
func (m *Measure) stands(d *appsv1.Deployment) error {
	replicas := kube.Wanted(d.Spec.Replicas)
	rolling := d.Status.ObservedGeneration < d.Generation || d.Status.UpdatedReplicas != replicas || d.Status.Replicas != replicas
	switch {
	case d.DeletionTimestamp != nil:
		return errors.New("it is being deleted")
	case d.Spec.Paused:
		return errors.New("its rollout is paused")
	case rolling:
		return errors.New("a rollout of it is under way")
	}
	return nil
}

// possible is what keeps the measure itself from helping.
func (m *Measure) possible(d *appsv1.Deployment) error {
	if m.Mode == Auto {
		if more := m.To - m.From; more < 1 || more > max(1, m.From) {
			return fmt.Errorf("its budget wants %d more pods than there are", more)
		}
		return nil
	}
	rolling := d.Spec.Strategy.RollingUpdate
	switch {
	case d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType:
		return errors.New("its strategy Recreate stops all its pods before it starts new ones")
	case rolling != nil && rolling.MaxSurge != nil && zero(*rolling.MaxSurge):
		return errors.New("its rolling update has maxSurge 0: pods would stop before new ones are Ready")
	}
	return nil
}

func zero(v intstr.IntOrString) bool {
	n, err := intstr.GetScaledValueFromIntOrPercent(&v, 100, true)
	return err == nil && n == 0
}

// single reports whether a claim is for one node or one pod at a time.
func single(pvc *corev1.PersistentVolumeClaim) bool {
	return !slices.ContainsFunc(pvc.Spec.AccessModes, func(mode corev1.PersistentVolumeAccessMode) bool {
		return mode == corev1.ReadWriteMany || mode == corev1.ReadOnlyMany
	})
}
