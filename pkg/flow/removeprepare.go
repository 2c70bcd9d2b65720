// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// PrepareRemove reads everything, and refuses before anything has changed what
// cannot be removed: an unknown node, one that kubeadm did not make, the last
// control plane, one that another run holds, pods that need consent, permissions
// that are missing.
func PrepareRemove(ctx context.Context, cluster runner.Cluster, name string, opts RemoveOptions) (*Removal, error) {
	opts.Drain.RunnerNamespace = cluster.Namespace
	r := &Removal{cluster: cluster, opts: opts}
	return r, r.prepare(ctx, name)
}

// prepare is PrepareRemove.
func (r *Removal) prepare(ctx context.Context, name string) (err error) {
	client := r.cluster.Client
	if r.Node, err = GetNode(ctx, client, name); err != nil {
		return err
	}
	if err := RequireKubeadm(ctx, client, r.Node); err != nil {
		return err
	}
	needs := append(runNeeds(namespaceOf(r.cluster)), drainNeeds()...)
	needs = append(needs, need{verb: "delete", resource: "nodes"}, need{verb: "delete", resource: "pods"}, need{verb: "get", resource: "persistentvolumes"}, need{verb: "list", resource: "persistentvolumes"},
		need{verb: "list", group: "storage.k8s.io", resource: "volumeattachments"}, need{verb: "watch", group: "storage.k8s.io", resource: "volumeattachments"})
	needs = append(needs, need{verb: "watch", resource: "nodes"})
	needs = append(needs, surgeNeeds(r.opts.Surge)...)
	if err := allowed(ctx, client, needs); err != nil {
		return err
	}
	r.Warnings = departureWarnings(r.Node)
	if err := r.takeUp(ctx); err != nil {
		return err
	}
	facts, err := hostFacts(ctx, client, r.Node)
	if err != nil {
		return err
	}
	r.Warnings = append(r.Warnings, announcedWarnings(facts)...)
	if r.hostUnderWay() {
		r.input, err = encode(facts, r.opts.Choices)
		return err
	}
	if isControlPlane(r.Node) {
		leaving, err := readFarewell(ctx, r.cluster, r.Node)
		if err != nil {
			return err
		}
		warnings, err := leaving.decide()
		if err != nil {
			return err
		}
		r.Warnings = append(r.Warnings, warnings...)
	}
	if r.Resumes == nil && !kubeletAnswers(r.Node) {
		return pulse{r.cluster, r.Node}.unreachable(ctx)
	}
	if err := r.decide(ctx); err != nil {
		return err
	}
	if r.Data, err = readData(ctx, r.cluster, r.Node); err != nil {
		return err
	}
	facts.Keep = keeps(r.Data)
	if r.input, err = encode(facts, r.opts.Choices); err != nil {
		return err
	}
	return losing(r.Data, r.opts.Choices)
}

// operation is what the run on the host is for.
func (r *Removal) operation() wire.Operation {
	if r.passage != nil {
		return wire.Move
	}
	return wire.Remove
}

// takeUp finds the run of the same operation that is under way; another's is
// refused.
func (r *Removal) takeUp(ctx context.Context) error {
	rec, held, err := runner.Get(ctx, r.cluster, r.Node.Name)
	if err != nil || !held {
		return err
	}
	if !rec.Of(r.Node) {
		r.stale = &rec
		return nil
	}
	if rec.State.Operation != r.operation() {
		return plan.Refuse(fmt.Errorf("%w: %s", runner.ErrBusy, rec.State.Describe()),
			"wait for it, or take it back: kubectl lifecycle runs abort %s", text.Quote(r.Node.Name))
	}
	r.Resumes = &rec
	return nil
}

// hostUnderWay says that the run which is taken up is past its drain.
func (r *Removal) hostUnderWay() bool {
	if r.Resumes == nil {
		return false
	}
	phase := r.Resumes.State.Phase
	return phase == wire.Working || phase == wire.Waiting || phase == wire.Leaving || phase == wire.Finished
}

// kubeletAnswers says whether the kubelet reports at all. A node without a
// network is NotReady by its own kubelet's word ("False"), and can be worked
// on; one whose kubelet is silent has the status "Unknown".
func kubeletAnswers(node *corev1.Node) bool {
	c := kube.ReadyCondition(node)
	return c != nil && c.Status != corev1.ConditionUnknown
}

func readyMessage(node *corev1.Node) string {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Reason + ": " + c.Message
		}
	}
	return "its kubelet has never reported"
}
