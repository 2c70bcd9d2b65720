// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// atOnce is how many objects are changed at the same time.
	atOnce = 10
	// pause is between two looks at agents that are going.
	pause = time.Second
)

// Recipe is the plan: the release and its agents first, so that nothing is written again,
// then what they wrote.
func Recipe(client kubernetes.Interface, remover release.Remover, u Uninstallation) plan.Plan {
	steps := []plan.Step{{
		ID: "agents", Title: "Wait until its agents are gone",
		Needed: func(ctx context.Context) (bool, error) {
			left, err := agents(ctx, client, u)
			return left > 0, err
		},
		Do: func(ctx context.Context, report plan.Report) error { return awaitGone(ctx, client, u, report) },
	}}
	if u.Release.Revision > 0 {
		steps = slices.Insert(steps, 0, plan.Step{
			ID: "release", Title: fmt.Sprintf("Uninstall release %s with %s", u.Release.Name, text.Count(len(u.Objects), "object")),
			Do: func(ctx context.Context, _ plan.Report) error {
				if err := remover.Remove(ctx, u.Release); err != nil {
					return plan.Hint(fmt.Errorf("uninstall release %s: %w", u.Release.Name, err), "run the same command again to go on from there")
				}
				return nil
			},
		})
	}
	if len(u.Made) > 0 {
		steps = append(steps, plan.Step{
			ID: "made", Title: "Delete " + text.Count(len(u.Made), "object") + " that its agents wrote for themselves",
			Do: func(ctx context.Context, _ plan.Report) error { return deleteMade(ctx, client, u.Made) },
		})
	}
	if len(u.Marks) > 0 {
		steps = append(steps, plan.Step{
			ID: "nodes", Title: "Take what it wrote off " + text.Count(len(u.Marks), "Node"),
			Do: func(ctx context.Context, _ plan.Report) error { return unmark(ctx, client, u) },
		})
	}
	return plan.Plan{Title: "Uninstall " + u.CNI, Steps: steps}
}

// agents counts the agents that are left of the network, without those on nodes that do
// not answer: they go with their Node, or when it is back.
func agents(ctx context.Context, client kubernetes.Interface, u Uninstallation) (int, error) {
	list, err := client.CoreV1().Pods(u.agents).List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, fmt.Errorf("list pods in namespace %s: %w", u.agents, err)
	}
	left := 0
	for i := range list.Items {
		owner := metav1.GetControllerOf(&list.Items[i])
		if owner != nil && owner.Kind == "DaemonSet" && owner.Name == u.network.DaemonSet && !u.silent[list.Items[i].Spec.NodeName] {
			left++
		}
	}
	return left, nil
}

func awaitGone(ctx context.Context, client kubernetes.Interface, u Uninstallation, report plan.Report) error {
	said := -1
	for {
		left, err := agents(ctx, client, u)
		if err != nil || left == 0 {
			return err
		}
		if left != said {
			report("waiting for %s", text.Count(left, "agent"))
			said = left
		}
		select {
		case <-ctx.Done():
			return plan.Hint(fmt.Errorf("%w: %s of %s left", context.Cause(ctx), text.Count(left, "agent"), u.CNI),
				"see why they do not end: kubectl get pods -n %s; run the same command again to go on", text.Quote(u.agents))
		case <-time.After(pause):
		}
	}
}

// deleteMade deletes exactly the objects of the list, by their UIDs.
func deleteMade(ctx context.Context, client kubernetes.Interface, made []Made) error {
	wire, real := client.CoreV1().RESTClient().(*rest.RESTClient)
	if !real || wire == nil {
		return nil // nothing could be listed either
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, m := range made {
		group.Go(func() error {
			at := "/apis/" + m.Group + "/" + m.Version + "/"
			if m.Namespace != "" {
				at += "namespaces/" + m.Namespace + "/"
			}
			uid := types.UID(m.UID)
			body, err := json.Marshal(metav1.DeleteOptions{TypeMeta: metav1.TypeMeta{Kind: "DeleteOptions", APIVersion: "v1"},
				Preconditions: &metav1.Preconditions{UID: &uid}})
			if err != nil {
				return fmt.Errorf("delete %s %s: %w", m.Resource, m.Name, err)
			}
			err = wire.Delete().AbsPath(at+m.Resource+"/"+m.Name).SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				return fmt.Errorf("delete %s %s: %w", m.Resource, m.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// unmark takes off Nodes what the network has written there.
func unmark(ctx context.Context, client kubernetes.Interface, u Uninstallation) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, m := range u.Marks {
		group.Go(func() error {
			err := unmarkNode(ctx, client, m)
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("take what %s wrote off node %s: %w", u.CNI, m.Node, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// unmarkNode changes one Node. Taints are a list that others write, too: that patch holds
// only for the version that was read.
func unmarkNode(ctx context.Context, client kubernetes.Interface, m Mark) error {
	nodes := client.CoreV1().Nodes()
	meta := map[string]any{}
	if len(m.Annotations) > 0 {
		gone := map[string]any{}
		for _, name := range m.Annotations {
			gone[name] = nil
		}
		meta["annotations"] = gone
	}
	patch := map[string]any{"metadata": meta}
	if len(m.Taints) > 0 {
		now, err := nodes.Get(ctx, m.Node, metav1.GetOptions{})
		if err != nil {
			return err
		}
		meta["resourceVersion"] = now.ResourceVersion
		left := slices.DeleteFunc(slices.Clone(now.Spec.Taints), func(t corev1.Taint) bool { return slices.Contains(m.Taints, t.Key) })
		patch["spec"] = map[string]any{"taints": left}
	}
	if len(meta) > 0 {
		raw, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		if _, err := nodes.Patch(ctx, m.Node, types.MergePatchType, raw, metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	if !m.Condition {
		return nil
	}
	const gone = `{"status":{"conditions":[{"type":"NetworkUnavailable","$patch":"delete"}]}}`
	_, err := nodes.Patch(ctx, m.Node, types.StrategicMergePatchType, []byte(gone), metav1.PatchOptions{}, "status")
	return err
}
