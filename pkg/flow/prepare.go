// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/controlplane"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostdata"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostfacts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/liveness"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// PrepareRemove reads everything, and refuses before anything has changed what
// cannot be removed: an unknown node, one that kubeadm did not make, the last
// control plane, one that another run holds, pods that need consent, permissions
// that are missing.
func PrepareRemove(ctx context.Context, cluster runner.Cluster, name string, request Request) (*Removal, error) {
	r := newRemoval(cluster, request, removal())
	return r, r.prepare(ctx, name)
}

func newRemoval(cluster runner.Cluster, request Request, op operation) *Removal {
	request.Drain.RunnerNamespace = cluster.Namespace
	return &Removal{cluster: cluster, request: request, operation: op}
}

// prepare is PrepareRemove.
func (r *Removal) prepare(ctx context.Context, name string) (err error) {
	client := r.cluster.Client
	if r.Node, err = kubenode.Get(ctx, client, name); err != nil {
		return err
	}
	if err := kubenode.RequireKubeadm(ctx, client, r.Node); err != nil {
		return err
	}
	needs := append(access.Run(r.cluster.RunNamespace()), access.Drain()...)
	needs = append(needs, access.Need{Verb: "delete", Resource: "nodes"}, access.Need{Verb: "delete", Resource: "pods"},
		access.Need{Verb: "get", Resource: "persistentvolumes"}, access.Need{Verb: "list", Resource: "persistentvolumes"},
		access.Need{Verb: "list", Group: "storage.k8s.io", Resource: "volumeattachments"}, access.Need{Verb: "watch", Group: "storage.k8s.io",
			Resource: "volumeattachments"})
	needs = append(needs, access.Need{Verb: "watch", Resource: "nodes"})
	needs = append(needs, access.Surge(r.request.Surge)...)
	if err := access.Require(ctx, client, needs); err != nil {
		return err
	}
	r.Warnings = departure.Warnings(r.Node)
	if err := r.takeUp(ctx); err != nil {
		return err
	}
	facts, err := hostfacts.Read(ctx, client, r.Node)
	if err != nil {
		return err
	}
	r.Warnings = append(r.Warnings, hostfacts.Warnings(facts)...)
	if r.hostUnderWay() {
		r.input, err = encode(facts, r.request.Choices)
		return err
	}
	if kubenode.IsControlPlane(r.Node) {
		leaving, err := controlplane.Read(ctx, r.cluster, r.Node)
		if err != nil {
			return err
		}
		warnings, err := leaving.Decide()
		if err != nil {
			return err
		}
		r.Warnings = append(r.Warnings, warnings...)
	}
	if r.Resumes == nil && !kubenode.KubeletAnswers(r.Node) {
		return liveness.Unreachable(ctx, r.cluster, r.Node)
	}
	if err := r.decide(ctx); err != nil {
		return err
	}
	if r.Data, err = hostdata.Read(ctx, r.cluster, r.Node); err != nil {
		return err
	}
	facts.Keep = hostdata.Kept(r.Data)
	if r.input, err = encode(facts, r.request.Choices); err != nil {
		return err
	}
	return hostdata.RefuseLoss(r.Data, r.request.Choices)
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
	if rec.State.Operation != r.operation.name {
		return plan.Refuse(fmt.Errorf("%w: %s", runner.ErrBusy, rec.State.Describe()),
			"wait for it, or abort it: kubectl lifecycle runs abort %s", text.Quote(r.Node.Name))
	}
	r.Resumes = &rec
	return r.agree(rec)
}

// hostUnderWay says that the run which is taken up is past its drain.
func (r *Removal) hostUnderWay() bool {
	if r.Resumes == nil {
		return false
	}
	phase := r.Resumes.State.Phase
	return phase == wire.Working || phase == wire.Waiting || phase == wire.Leaving || phase == wire.Finished
}

// decide reads the pods, and says what becomes of each, before anything is changed:
// those that leave, those that no drain asks, and the Deployments that a surge helps.
// Who may deny the cordon or an eviction is a warning.
func (r *Removal) decide(ctx context.Context) error {
	d := r.drain()
	err := d.Decide(ctx)
	r.Drain, r.Surge = d.Decision, d.Measures
	if err != nil {
		return err
	}
	if !r.ofBatch {
		r.Warnings = append(r.Warnings, drain.ReadAdmission(ctx, r.cluster.Client).Warnings(r.Drain)...)
	}
	return r.exclude(ctx)
}

// exclude finds the pods that the pod selector leaves out, and warns of hooks of those
// that stay. A storage engine that has
// to serve the others' volumes until they are detached is named like that.
func (r *Removal) exclude(ctx context.Context) error {
	pods, err := kubenode.PodsOn(ctx, r.cluster.Client, r.Node.Name)
	if err != nil {
		return err
	}
	pods = runner.Others(pods, r.cluster.Namespace)
	if r.request.Drain.PodSelector != "" {
		if r.excluded, err = excludedBy(r.request.Drain.PodSelector, pods); err != nil {
			return err
		}
	}
	for _, pod := range r.excluded {
		r.Excluded = append(r.Excluded, pod.Namespace+"/"+pod.Name)
	}
	staying := slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !kubenode.OnEveryNode(&pod) })
	r.Warnings = append(r.Warnings, departure.HookWarnings(append(staying, r.excluded...))...)
	return nil
}

// excludedBy are the pods that a selector leaves out of a drain and that would have
// had to leave: those of DaemonSets and of the host itself stay anyway, and what is
// over holds nothing. It is pure.
func excludedBy(selector string, pods []corev1.Pod) ([]corev1.Pod, error) {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return nil, fmt.Errorf("--pod-selector: %w", err)
	}
	var out []corev1.Pod
	for i := range pods {
		over := pods[i].Status.Phase == corev1.PodSucceeded || pods[i].Status.Phase == corev1.PodFailed
		if !over && !kubenode.OnEveryNode(&pods[i]) && !parsed.Matches(labels.Set(pods[i].Labels)) {
			out = append(out, pods[i])
		}
	}
	return out, nil
}
