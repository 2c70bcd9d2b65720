// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// aliveEvery is how often the record gets a sign of life during a drain.
const aliveEvery = 30 * time.Second

// RemoveOptions are the choices of a removal.
type RemoveOptions struct {
	Drain   drain.Options
	Choices clean.Choices
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
	// Resumes is the run that this removal takes up; nil for a new one.
	Resumes *runner.Record
	// Returned are pods that came back to the cordoned node during the drain;
	// they end with the node.
	Returned []drain.Returned
	// Verdict is the host's, after the plan has run.
	Verdict clean.Verdict
	// Watch is told what happens on the host; nil for nobody.
	Watch plan.Observer

	cluster runner.Cluster
	opts    RemoveOptions
	input   json.RawMessage
	record  runner.Record
	// drained is the last decision that was carried out.
	drained drain.Decision
}

// PrepareRemove reads everything, and refuses before anything has changed what
// cannot be removed: an unknown node, one that kubeadm did not make, a control
// plane, one that another run holds, pods that need consent, permissions that
// are missing.
func PrepareRemove(ctx context.Context, cluster runner.Cluster, name string, opts RemoveOptions) (*Removal, error) {
	client := cluster.Client
	node, err := GetNode(ctx, client, name)
	if err != nil {
		return nil, err
	}
	r := &Removal{Node: node, cluster: cluster, opts: opts}
	if err := removable(ctx, client, node); err != nil {
		return nil, err
	}
	needs := append(runNeeds(namespaceOf(cluster)), drainNeeds()...)
	needs = append(needs, need{verb: "delete", resource: "nodes"}, need{verb: "delete", resource: "pods"}, need{verb: "get", resource: "persistentvolumes"},
		need{verb: "list", group: "storage.k8s.io", resource: "volumeattachments"}, need{verb: "watch", group: "storage.k8s.io", resource: "volumeattachments"})
	if err := allowed(ctx, client, needs); err != nil {
		return nil, err
	}
	rec, held, err := runner.Get(ctx, cluster, name)
	if err != nil {
		return nil, err
	}
	if held {
		if rec.State.Operation != wire.Remove {
			return nil, plan.Refuse(fmt.Errorf("%w: %s", runner.ErrBusy, rec.State.Describe()),
				"wait for it, or take it back: kubectl lifecycle runs abort %s", name)
		}
		r.Resumes = &rec
	}
	facts, err := hostFacts(ctx, client, node)
	if err != nil {
		return nil, err
	}
	if r.input, err = encode(facts, opts.Choices); err != nil {
		return nil, err
	}
	if r.hostUnderWay() {
		return r, nil
	}
	if r.Resumes == nil && !kubeletAnswers(node) {
		return nil, plan.Refuse(fmt.Errorf("the kubelet of node %s does not answer (%s), so its host cannot be reached through it", name, readyMessage(node)),
			"bring its kubelet back first; if the host is gone for good, 'kubectl delete node %s' is all that is left to do", name)
	}
	snapshot, err := drain.Survey(ctx, client, drain.Target{Names: []string{name}}, opts.Drain)
	if err != nil {
		return nil, err
	}
	r.Drain = drain.Decide(snapshot, opts.Drain)
	return r, r.Drain.Refusal()
}

func removable(ctx context.Context, client kubernetes.Interface, node *corev1.Node) error {
	if err := RequireKubeadm(ctx, client, node); err != nil {
		return err
	}
	if isControlPlane(node) {
		return plan.Refuse(fmt.Errorf("node %s is a control-plane node", node.Name),
			"its etcd member and API server need care that this version does not have yet: nothing was changed")
	}
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

func isReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// kubeletAnswers says whether the kubelet reports at all. A node without a
// network is NotReady by its own kubelet's word ("False"), and can be worked
// on; one whose kubelet is silent has the status "Unknown".
func kubeletAnswers(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status != corev1.ConditionUnknown
		}
	}
	return false
}

func readyMessage(node *corev1.Node) string {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Reason + ": " + c.Message
		}
	}
	return "its kubelet has never reported"
}

// Plan is the removal, step by step.
func (r *Removal) Plan() plan.Plan {
	name := r.Node.Name
	past := func(context.Context) (bool, error) { return !r.hostUnderWay(), nil }
	return plan.Plan{
		Title: "Remove node " + name,
		Steps: []plan.Step{
			{ID: "canary", Title: "Start the program on the host of " + name, Do: r.begin, Undo: r.giveUp},
			{ID: "cordon", Title: "Cordon " + name, Needed: past, Do: r.cordon},
			{ID: "drain", Title: r.drainTitle(), Needed: past, Do: r.drain},
			{ID: "volumes", Title: "Wait until the volumes of " + name + " are detached", Needed: past, Do: r.volumes},
			{ID: "host", Title: "Clean the host of " + name, Do: r.clean},
			{ID: "node", Title: "Delete node " + name, Do: r.deleteNode},
			{ID: "record", Title: "Delete the run record", Do: r.end},
		},
		Notes: []string{
			"packages, container images, the kubelet's unit and what was prepared on purpose stay",
			"packet-filter rules, links, mounts and files of others stay as they are",
			r.backupNote(),
		},
	}
}

func (r *Removal) backupNote() string {
	switch {
	case r.opts.Choices.NoBackup:
		return "no backup is made of the configuration that goes"
	case r.opts.Choices.NoKeys:
		return "the configuration that goes is backed up on the host, in " + clean.BackupDir + ", without keys and credentials"
	}
	return "the configuration that goes is backed up on the host, for root alone, in " + clean.BackupDir
}

func (r *Removal) drainTitle() string {
	return fmt.Sprintf("Evict %d pods from %s", len(r.Drain.ToEvict()), r.Node.Name)
}

func (r *Removal) begin(ctx context.Context, report plan.Report) error {
	task := runner.Task{
		Owner: runner.Owner{Operation: wire.Remove, Who: r.opts.Who},
		Node:  r.Node, Input: r.input, Patience: r.opts.Patience,
	}
	rec, err := runner.Begin(ctx, r.cluster, task, report)
	if err == nil && rec.State.Phase == wire.Aborted {
		report("an earlier run was taken back; beginning anew")
		if err := runner.End(ctx, r.cluster.Client, rec); err != nil {
			return err
		}
		rec, err = runner.Begin(ctx, r.cluster, task, report)
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
	note := drain.Note{By: r.opts.Who, At: time.Now().UTC(), Reason: "removal of the node"}
	changed, err := drain.Scheduling{Unschedulable: true, Note: note}.Apply(ctx, r.cluster.Client, r.Node.Name)
	if err != nil {
		return err
	}
	if !changed {
		report("it was cordoned already")
		return nil
	}
	return runner.NoteCordoned(ctx, r.cluster.Client, r.record)
}

// drainRounds is how often pods that came meanwhile are taken in: those that
// were on their way when the cordon took effect.
const drainRounds = 3

// drain evicts what has to leave. It reads again before it does: the canary
// has taken its time, and the pods may be others.
func (r *Removal) drain(ctx context.Context, report plan.Report) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go runner.KeepAlive(ctx, r.cluster.Client, r.record, aliveEvery)
	for range drainRounds {
		decision, err := drain.Again(ctx, r.cluster.Client, drain.Target{Names: []string{r.Node.Name}}, r.opts.Drain)
		if err != nil {
			return r.stillCordoned(err)
		}
		outcome, err := drain.Evict(ctx, r.cluster.Client, decision, r.opts.Drain, drain.Listener{Report: report})
		if err != nil {
			return r.stillCordoned(err)
		}
		r.Returned, r.drained = append(r.Returned, outcome.Returned...), decision
		if len(outcome.Arrived) == 0 {
			return nil
		}
		report("%d pods came to the node meanwhile", len(outcome.Arrived))
	}
	return r.stillCordoned(plan.Hint(errors.New("pods keep coming to the node although it is cordoned"),
		"see who puts them there: kubectl get pods -A --field-selector spec.nodeName=%s", r.Node.Name))
}

// volumes waits for volumes that the node has still: cleaning the host under
// one that is attached could lose what was written last.
func (r *Removal) volumes(ctx context.Context, report plan.Report) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go runner.KeepAlive(ctx, r.cluster.Client, r.record, aliveEvery)
	return r.stillCordoned(drain.AwaitVolumes(ctx, r.cluster.Client, r.drained, r.opts.Drain.Timeout, drain.Listener{Report: report}))
}

// stillCordoned adds to an error's way out the way back.
func (r *Removal) stillCordoned(err error) error {
	back := fmt.Sprintf("node %[1]s stays cordoned; run the same command again to go on, or: kubectl lifecycle uncordon %[1]s", r.Node.Name)
	if hint := plan.HintOf(err); hint != "" {
		back = hint + "\n" + back
	}
	return plan.Hint(err, "%s", back)
}
