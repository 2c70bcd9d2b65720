// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// aliveEvery is how often the record gets a sign of life during a drain, at
// least; a program of little patience gets more.
const aliveEvery = 30 * time.Second

// RemoveOptions are the choices of a removal.
type RemoveOptions struct {
	Drain drain.Options
	// Surge says what is done for Deployments whose budget never opens; empty means
	// nothing.
	Surge   surge.Mode
	Choices inventory.Choices
	// Who is "user@host", for whoever finds the node held.
	Who string
	// Patience is how long the program on the host waits for an order before
	// it starts the kubelet again; zero means an hour.
	Patience time.Duration
}

// Removal is a removal that has been read and decided, and can be shown and
// then run.
type Removal struct {
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
	// Returned are pods that came back to the cordoned node during the drain;
	// they end with the node.
	Returned []evict.Returned
	// Verdict is the host's, after the plan has run.
	Verdict inventory.Verdict
	// Data is what is of value on the node, and what becomes of it.
	Data []Data
	// Warnings are what needs care once the node is gone.
	Warnings []string
	// Lingering are pods that the API still has after the Node is gone; see
	// StillThere.
	Lingering []Lingering
	// Watch is told what happens on the host; nil for nobody.
	Watch plan.Observer

	cluster runner.Cluster
	opts    RemoveOptions
	input   json.RawMessage
	record  runner.Record
	// stale is the record of an earlier node of this name, which goes.
	stale *runner.Record
	// passage is where the host goes afterwards; nil for nowhere.
	passage *passage
	// drained is the last decision that was carried out; emptied are the nodes
	// that have no pod left that had to leave.
	drained  drain.Decision
	emptied  map[string]bool
	excluded []corev1.Pod
	// mute is true once it was said that the node's conditions cannot be set.
	mute bool
	// others are removals whose nodes are drained with this one's.
	others []*Removal
}

// Plan is the removal, step by step.
func (r *Removal) Plan() plan.Plan {
	name := r.Node.Name
	notes := r.etcdNotes()
	if r.stale != nil {
		notes = append(notes, "the record of an earlier node of that name goes: "+r.stale.State.Describe())
	}
	past := func(context.Context) (bool, error) { return !r.hostUnderWay(), nil }
	return plan.Plan{
		Title: "Remove node " + name,
		Steps: []plan.Step{
			{ID: "canary", Title: "Start the program on the host of " + name, Do: r.begin, Undo: r.giveUp},
			{ID: "cordon", Title: "Cordon " + name, Needed: past, Do: r.cordon},
			{ID: "drain", Title: r.drainTitle(), Needed: past, Do: r.drain},
			{ID: "volumes", Title: "Wait until the volumes of " + name + " are detached", Needed: past, Do: r.volumes},
			{ID: "host", Title: "Clean the host of " + name, Do: r.clean},
			{ID: "node", Title: nodeTitle(r.Node), Do: r.deleteNode},
			{ID: "leftovers", Title: "Delete what is left of its pods", Do: r.clearPods},
			{ID: "record", Title: "Delete the run record", Needed: r.over, Do: r.end},
		},
		Notes: append(notes,
			"packages, container images, the kubelet's unit and what was prepared on purpose stay",
			r.othersNote(),
			r.backupNote(),
		),
	}
}

func (r *Removal) othersNote() string {
	if r.opts.Choices.Firewall == inventory.FirewallFlush {
		return "links, mounts and files of others stay as they are, but every rule of iptables goes, whoever made it: restart what needs its own (Docker, a firewall, fail2ban) afterwards"
	}
	return "packet-filter rules, links, mounts and files of others stay as they are"
}

func (r *Removal) backupNote() string {
	switch {
	case r.opts.Choices.NoBackup:
		return "no backup is made of the configuration that goes"
	case r.opts.Choices.NoKeys:
		return "the configuration that goes is backed up on the host, for root alone, in " + inventory.BackupDir + ", without anything secret"
	case r.opts.Choices.BackupKeys:
		return "the configuration that goes is backed up on the host, for root alone, in " + inventory.BackupDir + ", with keys and credentials: they open the cluster as long as they are valid"
	}
	return "the configuration that goes is backed up on the host, for root alone, in " + inventory.BackupDir + ", without keys and credentials of the cluster"
}

func (r *Removal) drainTitle() string {
	return fmt.Sprintf("Evict %d pods from %s", len(r.Drain.ToEvict()), r.Node.Name)
}

func (r *Removal) begin(ctx context.Context, report plan.Report) error {
	task := runner.Task{
		Owner: runner.Owner{Operation: r.operation(), Who: r.opts.Who},
		Node:  r.Node, Input: r.input, Patience: r.opts.Patience,
	}
	if r.passage != nil {
		task.Destination, task.JoinToken = r.passage.destination(), runner.JoinToken{ID: r.passage.token.ID, Whole: r.passage.token.Whole()}
	}
	rec, err := runner.Begin(ctx, r.cluster, task, report)
	if err == nil && rec.State.Phase == wire.Aborted {
		report("an earlier run was taken back; beginning anew")
		if err := runner.End(ctx, r.cluster.Client, rec); err != nil {
			return err
		}
		cordoned := rec.State.Cordoned
		if rec, err = runner.Begin(ctx, r.cluster, task, report); err == nil && cordoned {
			// Whoever takes this one back opens the node that the earlier one closed.
			err = runner.NoteCordoned(ctx, r.cluster.Client, rec)
		}
	}
	r.record = rec
	return err
}

// giveUp takes the program off a host that it has not changed yet. Once the
// host is being changed the run stays, so that the same command takes it up.
func (r *Removal) giveUp(ctx context.Context) error {
	rec, found, err := runner.Get(ctx, r.cluster, r.Node.Name)
	if err != nil {
		return err
	}
	if !found || rec.UID != r.record.UID || rec.State.Phase != wire.Ready || rec.State.Order != "" {
		return plan.ErrKept
	}
	return sendHome(ctx, r.cluster, rec)
}

func (r *Removal) cordon(ctx context.Context, report plan.Report) error {
	changed, err := drain.Scheduling{Unschedulable: true, Note: r.note()}.Apply(ctx, r.cluster.Client, r.Node.Name)
	if err != nil {
		return err
	}
	if !changed {
		report("it was cordoned already")
		return nil
	}
	return runner.NoteCordoned(ctx, r.cluster.Client, r.record)
}

// note says who closes the node, and why.
func (r *Removal) note() drain.Note {
	return drain.Note{By: r.opts.Who, At: time.Now().UTC(), Reason: string(r.operation()) + " of the node"}
}

// keepAlive gives signs of life until the context ends.
func (r *Removal) keepAlive(ctx context.Context) {
	every := aliveEvery
	if patience := r.opts.Patience; patience > 0 {
		every = min(every, patience/3)
	}
	for _, other := range r.others {
		go runner.KeepAlive(ctx, r.cluster.Client, other.record, every)
	}
	if r.record.Name != "" {
		go runner.KeepAlive(ctx, r.cluster.Client, r.record, every)
	}
	if r.passage != nil {
		go r.passage.keepToken(ctx)
	}
}

// stillCordoned adds to an error's way out the way back.
func (r *Removal) stillCordoned(err error) error {
	names := r.Node.Name
	for _, other := range r.others {
		if other.Node.Name != r.Node.Name {
			names += " " + other.Node.Name
		}
	}
	back := fmt.Sprintf("cordoned: %[1]s; run the same command again to go on, or: kubectl lifecycle uncordon %[1]s", names)
	if hint := plan.HintOf(err); hint != "" {
		back = hint + "\n" + back
	}
	return plan.Hint(err, "%s", back)
}
