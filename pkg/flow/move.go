// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostfacts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// tokenTTL is how long the bootstrap token of a move lives; while a drain goes
// on it is given that again every tokenEvery.
const (
	tokenTTL   = time.Hour
	tokenEvery = 10 * time.Minute
)

// Destination is the cluster that a worker is moved to.
type Destination struct {
	// Name is how the person calls it: the context.
	Name   string
	Client kubernetes.Interface
	// IgnorePreflightErrors are names of kubeadm's checks.
	IgnorePreflightErrors []string
}

// moveTarget is where a host moves to, and with what.
type moveTarget struct {
	to    Destination
	node  string
	about join.Cluster
	token bootstrap.Token
	// failure is why the host could not join; empty if it has.
	failure string
}

// operation is what the run on the host is for: the removal's, and the join there.
func (t *moveTarget) operation() operation {
	return operation{
		name: wire.Move,
		title: func(node string) string {
			return fmt.Sprintf("Clean the host of %s, and join it to %s", node, t.to.Name)
		},
		task: func(task *runner.Task) {
			task.Destination, task.JoinToken = t.destination(), runner.JoinToken{ID: t.token.ID, Whole: t.token.Whole()}
		},
		term:  t.term,
		alive: t.keepToken,
		verdict: func(outcome json.RawMessage) (json.RawMessage, error) {
			var moved wire.Moved
			if err := json.Unmarshal(outcome, &moved); err != nil {
				return nil, err
			}
			t.failure = moved.Error
			return moved.Verdict, nil
		},
	}
}

// Move is a move that has been read and decided, and can be shown and run.
type Move struct {
	*Removal
	// Gone says that the node has left its cluster already: what is left to do
	// is to see it arrive.
	Gone bool

	target *moveTarget
}

// PrepareMove reads both clusters, and refuses before anything has changed what
// cannot be moved: whatever a removal refuses, a control plane, a destination
// that is the same cluster, that has a node of this name, whose networks contain
// the host, whose version is too far, or in which you may not make a token.
// Whether the host itself reaches it is asked there, before anything is drained.
func PrepareMove(ctx context.Context, cluster runner.Cluster, to Destination, name string, request Request) (*Move, error) {
	target := &moveTarget{to: to, node: name}
	m := &Move{Removal: newRemoval(cluster, request, target.operation()), target: target}
	if err := access.Require(ctx, to.Client, arrivalNeeds()); err != nil {
		return nil, fmt.Errorf("in %s: %w", to.Name, err)
	}
	if err := m.elsewhere(ctx); err != nil {
		return nil, err
	}
	about, err := join.Survey(ctx, to.Client)
	if err != nil {
		return nil, fmt.Errorf("in %s: %w", to.Name, err)
	}
	m.target.about = about
	if err := m.prepare(ctx, name); err != nil {
		if errors.Is(err, kubenode.ErrNotFound) {
			return m, m.prepareGone(ctx, err)
		}
		return nil, err
	}
	for _, w := range about.Warnings {
		m.Warnings = append(m.Warnings, w.Text+": "+w.Hint)
	}
	if m.hostUnderWay() {
		return m, nil
	}
	if err := about.Refusal(); err != nil {
		return nil, fmt.Errorf("in %s: %w", to.Name, err)
	}
	if kubenode.IsControlPlane(m.Node) {
		return nil, plan.Refuse(fmt.Errorf("node %s is a control-plane node", name),
			"remove it (kubectl lifecycle remove %s), then join its host to %s", text.Quote(name), to.Name)
	}
	there, err := hostfacts.ReadNetworks(ctx, to.Client)
	if err != nil {
		return nil, err
	}
	taken, err := to.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		return nil, fmt.Errorf("list nodes in %s: %w", to.Name, err)
	}
	return m, joinCheck{node: m.Node, to: to.Name, version: about.KubernetesVersion, networks: slices.Concat(there.Pods, there.Services),
		taken: len(taken.Items) > 0}.decide()
}

// elsewhere refuses a destination that is the same cluster: the same namespace
// kube-system.
func (m *Move) elsewhere(ctx context.Context) error {
	var ids []string
	for _, client := range []kubernetes.Interface{m.cluster.Client, m.target.to.Client} {
		space, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("get namespace %s: %w", metav1.NamespaceSystem, err)
		}
		ids = append(ids, string(space.UID))
	}
	if ids[0] == ids[1] {
		return plan.Refuse(fmt.Errorf("%s is the cluster that node %s is in", m.target.to.Name, m.target.node),
			"name another: kubectl config get-contexts")
	}
	return nil
}

// prepareGone takes up a move whose node has left: it is on its way, or there, or
// a person who was given a token for it is about to join it.
func (m *Move) prepareGone(ctx context.Context, cause error) error {
	name := m.target.node
	rec, held, err := runner.Get(ctx, m.cluster, name)
	if err != nil {
		return err
	}
	if held && (rec.State.Operation != wire.Move || rec.State.Phase != wire.Finished) {
		return plan.Refuse(fmt.Errorf("%w: %s, and its Node is gone", runner.ErrBusy, rec.State.Describe()),
			"follow it: kubectl lifecycle runs follow %s", text.Quote(name))
	}
	_, err = m.target.to.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("get node %s in %s: %w", name, m.target.to.Name, err)
	}
	if err != nil && !held {
		begun, err := bootstrap.Described(ctx, m.target.to.Client, m.target.description())
		if err != nil || len(begun) == 0 {
			return cmp.Or(err, cause)
		}
	}
	if held && rec.State.Terms != "" && !strings.Contains(rec.State.Terms, m.target.term()) {
		return m.otherTerms(rec)
	}
	m.Gone, m.Node = true, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if held {
		m.Resumes, m.record = &rec, rec
		return m.takeOutcome(rec.State.Outcome)
	}
	return nil
}

// arrivalNeeds is what it takes, in the cluster that a host moves to, to let it
// in.
func arrivalNeeds() []access.Need {
	var needs []access.Need
	for _, verb := range []string{"get", "list", "create", "patch", "delete"} {
		needs = append(needs, access.Need{Verb: verb, Resource: "secrets", Namespace: metav1.NamespaceSystem})
	}
	return append(needs, access.Need{Verb: "list", Resource: "nodes"}, access.Need{Verb: "watch", Resource: "nodes"},
		access.Need{Verb: "get", Resource: "configmaps", Namespace: metav1.NamespaceSystem}, access.Need{Verb: "get", Resource: "configmaps",
			Namespace: metav1.NamespacePublic},
		access.Need{Verb: "watch", Resource: "configmaps", Namespace: metav1.NamespacePublic})
}

// Plan is the move, step by step.
func (m *Move) Plan() plan.Plan {
	name, to := m.Node.Name, m.target.to.Name
	arrive := []plan.Step{
		{ID: "arrival", Title: "Wait until node " + name + " is Ready in " + to, Do: m.arrival},
		{ID: "revoke", Title: "Revoke its bootstrap token", Do: m.revoke},
	}
	if m.Gone {
		held := func(context.Context) (bool, error) { return m.Resumes != nil, nil }
		end := func(ctx context.Context, _ plan.Report) (err error) {
			m.Lingering, err = endGone(ctx, m.cluster.Client, name, m.record)
			return err
		}
		return plan.Plan{
			Title: fmt.Sprintf("Move node %s to %s", name, to),
			Steps: append([]plan.Step{{ID: "record", Title: "Delete the run record", Needed: held, Do: end}}, arrive...),
		}
	}
	token := plan.Step{
		ID: "token", Title: "Make a bootstrap token in " + to,
		Needed: func(context.Context) (bool, error) { return !m.hostUnderWay(), nil }, Do: m.mint, Undo: m.unmint,
	}
	return plan.Plan{
		Title: fmt.Sprintf("Move node %s to %s", name, to),
		Steps: slices.Concat([]plan.Step{token}, m.startSteps(), m.drainSteps(), m.hostSteps(), m.finishSteps(), arrive),
		Notes: append(m.notes(), "labels, taints and annotations of the Node do not move with it"),
	}
}
