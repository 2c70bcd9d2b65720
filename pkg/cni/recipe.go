// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// takeOver is how long somebody else's unfinished work on a release is left to
// them. Applying a network's chart takes a few seconds.
const takeOver = time.Minute

// Recipe is the plan of an installation that Prepare has prepared:
//
//	namespace   exists, and admits the agents' privileged pods
//	release     is applied
//	network     works (see Wait)
//
// A run in which all steps are skipped is one with nothing to do.
func Recipe(client kubernetes.Interface, releases Releases, inst Installation) plan.Plan {
	steps := []plan.Step{
		{
			ID:     "namespace",
			Title:  fmt.Sprintf("Let namespace %s run privileged pods", inst.Namespace),
			Needed: func(ctx context.Context) (bool, error) { return namespaceNeeded(ctx, client, inst.Namespace) },
			Do: func(ctx context.Context, _ plan.Report) error {
				return ensureNamespace(ctx, client, inst.Namespace)
			},
		},
		{
			ID:     "release",
			Title:  releaseTitle(inst),
			Needed: func(context.Context) (bool, error) { return inst.Action != Keep, nil },
			Do: func(ctx context.Context, report plan.Report) error {
				return apply(ctx, releases, inst, report)
			},
		},
		{
			ID:    "network",
			Title: "Wait until the network works",
			Needed: func(ctx context.Context) (bool, error) {
				v, err := look(ctx, client, inst)
				return len(v.gaps()) > 0, err
			},
			Do: func(ctx context.Context, report plan.Report) error { return Wait(ctx, client, inst, report) },
		},
	}
	return plan.Plan{Title: "Install " + inst.CNI, Steps: steps, Notes: inst.Notes}
}

func releaseTitle(inst Installation) string {
	switch inst.Action {
	case Keep:
		return fmt.Sprintf("Keep release %s with chart %s %s", inst.Release, inst.CNI, inst.prior.Version)
	case Upgrade:
		return fmt.Sprintf("Upgrade release %s to chart %s %s", inst.Release, inst.CNI, inst.Chart.Version)
	case Install, Replace:
	}
	return fmt.Sprintf("Install chart %s %s as release %s", inst.CNI, inst.Chart.Version, inst.Release)
}

// privileged is what the agents' namespace needs where Pod Security admission
// is on: enforce lets the pods in; the other two keep quiet about what is meant
// to be.
func privileged() map[string]string {
	return map[string]string{
		"pod-security.kubernetes.io/enforce": "privileged",
		"pod-security.kubernetes.io/audit":   "privileged",
		"pod-security.kubernetes.io/warn":    "privileged",
	}
}

// namespaceNeeded tells whether the namespace has to be made or labelled. One
// that lets privileged pods in is left alone, whatever else it says.
func namespaceNeeded(ctx context.Context, client kubernetes.Interface, name string) (bool, error) {
	ns, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("get namespace %s: %w", name, err)
	case ns.DeletionTimestamp != nil:
		return false, plan.Refuse(fmt.Errorf("namespace %s is being deleted", name),
			"run this again when it is gone; what keeps it: kubectl get namespace %s -o yaml (status.conditions)", text.Quote(name))
	}
	// kube-system and what an admission configuration exempts need no label,
	// but one does no harm there either.
	return ns.Labels["pod-security.kubernetes.io/enforce"] != "privileged", nil
}

func ensureNamespace(ctx context.Context, client kubernetes.Interface, name string) error {
	namespaces := client.CoreV1().Namespaces()
	_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: privileged()}}, metav1.CreateOptions{})
	if err == nil {
		return nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": privileged()}})
	if err != nil {
		return fmt.Errorf("label namespace %s: %w", name, err)
	}
	if _, err := namespaces.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("label namespace %s: %w", name, err)
	}
	return nil
}

// apply makes the release so, after taking over one that was left half-made.
func apply(ctx context.Context, releases Releases, inst Installation, report plan.Report) error {
	if inst.prior.Status.unfinished() {
		if err := unlock(ctx, releases, inst, report); err != nil {
			return err
		}
	}
	report("applying %d objects", len(inst.Objects))
	if err := releases.Apply(ctx, inst.desired()); err != nil {
		err = fmt.Errorf("apply release %s in namespace %s: %w", inst.Release, inst.Namespace, err)
		return plan.Hint(err, "the release may be there in part, recorded as failed; the same command takes it up again. To undo it: helm uninstall %s -n %s", text.Quote(inst.Release), text.Quote(inst.Namespace))
	}
	if err := context.Cause(ctx); err != nil {
		err = fmt.Errorf("%w after release %s was applied in full", err, inst.Release)
		return plan.Hint(err, "the same command again waits until the network works")
	}
	return nil
}

// unlock leaves unfinished work to whoever does it for a minute, and then takes
// it for abandoned: Helm's own mark of it never ends (helm#8987).
func unlock(ctx context.Context, releases Releases, inst Installation, report plan.Report) error {
	p := inst.prior
	if left := min(takeOver, takeOver-time.Since(p.Updated)); left > 0 {
		report("release %s is %s since %s, perhaps by another program: waiting %s before taking it over", p.Name, p.Status, p.Updated.Format(time.TimeOnly), left.Round(time.Second))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(left):
		}
	}
	now, err := releases.Find(ctx, p.Namespace, p.Name)
	if err != nil {
		return fmt.Errorf("find release %s in namespace %s: %w", p.Name, p.Namespace, err)
	}
	if now.Revision != p.Revision || now.Status != p.Status {
		return plan.Refuse(fmt.Errorf("another program has just worked on release %s (revision %d, %s)", p.Name, now.Revision, now.Status),
			"nothing was changed here; run this again to see what is left to do")
	}
	if err := releases.Unlock(ctx, p); err != nil {
		return fmt.Errorf("take over release %s: %w", p.Name, err)
	}
	return nil
}
