// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostdata"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// Request is what a person asks of a removal, beside the node.
type Request struct {
	Drain drain.Options
	// Surge says what is done for Deployments whose budget never opens; empty means
	// nothing.
	Surge   surge.Mode
	Choices inventory.Choices
	// Who is "user@host", for those who find the node held.
	Who string
	// Patience is how long the program on the host waits for an order before
	// it starts the kubelet again; zero means an hour.
	Patience time.Duration
}

// Prepared is what was read and decided before anything is changed.
type Prepared struct {
	Node *corev1.Node
	// Drain is what becomes of each pod; empty when the drain is over already.
	Drain drain.Decision
	// Surge is what is done for Deployments whose budget never opens.
	Surge []surge.Measure
	// Excluded are the pods that Options.PodSelector leaves out ("namespace/name"):
	// they run until the host is cleaned, and end with it.
	Excluded []string
	// Resumes is the run that this removal takes up; nil for a new one.
	Resumes *runner.Record
	// Data is what is of value on the node, and what becomes of it.
	Data []hostdata.Data
	// Warnings are what needs care once the node is gone.
	Warnings []string

	// input is what the program on the host is told.
	input json.RawMessage
	// stale is the record of an earlier node of this name, which goes.
	stale    *runner.Record
	excluded []corev1.Pod
}

// Result is what became of a removal; it grows while the plan runs.
type Result struct {
	// Returned are pods that came back to the cordoned node during the drain;
	// they end with the node.
	Returned []evict.Returned
	// Verdict is the host's.
	Verdict inventory.Verdict
	// Lingering are pods that the API still has after the Node is gone; see
	// departure.StillThere.
	Lingering []departure.Lingering
	// Held are the locks that a tool of the cluster's holds for the node that is gone.
	Held []string
}

// Removal is a removal that has been read and decided, and can be shown and
// then run.
type Removal struct {
	Prepared
	Result
	// Watch is told what happens on the host; nil for nothing.
	Watch plan.Observer

	cluster runner.Cluster
	request Request
	// operation is what the run on the host is for.
	operation operation
	// ofBatch is true if it is one of several, for which is read together what is the
	// same for all.
	ofBatch bool
	// record is of the run that goes on.
	record runner.Record
	// draining is the drain of the node, or of all nodes of its wave.
	draining *Drain
}

// Plan is the removal, step by step.
func (r *Removal) Plan() plan.Plan {
	return plan.Plan{
		Title: "Remove node " + r.Node.Name,
		Steps: slices.Concat(r.startSteps(), r.drainSteps(), r.hostSteps(), r.finishSteps()),
		Notes: r.notes(),
	}
}

// startSteps bring the program onto the host, which has changed nothing yet.
func (r *Removal) startSteps() []plan.Step {
	return []plan.Step{{ID: "canary", Title: "Start the program on the host of " + r.Node.Name, Do: r.begin, Undo: r.giveUp}}
}

// drainSteps cordon the node, evict its pods and wait for its volumes. A run that is
// past its drain needs none of them.
func (r *Removal) drainSteps() []plan.Step {
	r.draining = r.drain()
	r.draining.Decision = r.Drain
	return slices.Concat(r.while(r.draining.Steps()...), r.volumeSteps())
}

// volumeSteps wait until no volume is attached to the node.
func (r *Removal) volumeSteps() []plan.Step {
	return r.while(r.draining.VolumeStep("Wait until the volumes of " + r.Node.Name + " are detached"))
}

// hostSteps change the host.
func (r *Removal) hostSteps() []plan.Step {
	return []plan.Step{{ID: "host", Title: r.operation.title(r.Node.Name), Do: r.clean}}
}

// finishSteps take the node out of the API, the record last.
func (r *Removal) finishSteps() []plan.Step {
	return []plan.Step{
		{ID: "node", Title: departure.Title(r.Node), Do: r.deleteNode},
		{ID: "leftovers", Title: "Delete what is left of its pods", Do: r.clearPods},
		{ID: "record", Title: "Delete the run record", Needed: r.over, Do: r.end},
	}
}

// while makes steps those of a drain under way: the program on the host gets signs of
// life, what came back is noted, and none is needed once the host is worked on.
func (r *Removal) while(steps ...plan.Step) []plan.Step {
	for i := range steps {
		do := steps[i].Do
		steps[i].Needed = func(context.Context) (bool, error) { return !r.hostUnderWay(), nil }
		steps[i].Do = func(ctx context.Context, report plan.Report) error {
			ctx, stop := context.WithCancel(ctx)
			defer stop()
			r.keepAlive(ctx)
			return do(ctx, report)
		}
	}
	return steps
}

// drain is the drain of this node.
func (r *Removal) drain() *Drain {
	return &Drain{
		Client: r.cluster.Client, Nodes: []string{r.Node.Name}, Options: r.request.Drain, Surge: r.request.Surge,
		By: r.request.Who, Reason: r.operation.reason(), Staying: r.excluded, MustBeEmpty: true,
		Cordoned: func(ctx context.Context, _ string) error { return runner.NoteCordoned(ctx, r.cluster.Client, r.record) },
		Evicted:  func(o evict.Outcome) { r.Returned = append(r.Returned, o.Returned...) },
	}
}

// notes say what the plan leaves alone.
func (r *Removal) notes() []string {
	notes := r.etcdNotes()
	if r.stale != nil {
		notes = append(notes, "the record of an earlier node of that name goes: "+r.stale.State.Describe())
	}
	return append(notes,
		"packages, container images, the kubelet's unit and what was prepared on purpose stay",
		r.othersNote(),
		r.backupNote(),
	)
}

func (r *Removal) othersNote() string {
	if r.request.Choices.Firewall == inventory.FirewallFlush {
		return "links, mounts and files that are not Kubernetes' stay as they are, but every rule of iptables goes, no matter who made it: " +
			"restart " +
			"what needs its own (Docker, a firewall, fail2ban) afterwards"
	}
	return "packet-filter rules, links, mounts and files that are not Kubernetes' stay as they are"
}

func (r *Removal) backupNote() string {
	switch {
	case r.request.Choices.NoBackup:
		return "no backup is made of the configuration that goes"
	case r.request.Choices.NoKeys:
		return "the configuration that goes is backed up on the host, for root alone, in " + inventory.BackupDir + ", without anything secret"
	case r.request.Choices.BackupKeys:
		return "the configuration that goes is backed up on the host, for root alone, in " + inventory.BackupDir +
			", with keys and credentials: " +
			"they open the cluster as long as they are valid"
	}
	return "the configuration that goes is backed up on the host, for root alone, in " + inventory.BackupDir +
		", without keys and credentials " +
		"of the cluster"
}

// etcdNotes are what a plan says about a control plane's etcd member.
func (r *Removal) etcdNotes() []string {
	if !kubenode.IsControlPlane(r.Node) {
		return nil
	}
	return []string{"its etcd member leaves the cluster before anything on the host is changed, and only if the others keep their quorum"}
}
