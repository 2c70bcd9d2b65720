// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// How long a token is asked for; the server may grant less, and gives none for
// less than ten minutes. A run may take as long as a drain does, what is answered at once does not.
const (
	tokenOfRun  = 24 * time.Hour
	tokenOfOnce = 10 * time.Minute
)

// Record is a run's object in the cluster, with what it says.
type Record struct {
	Namespace, Name string
	UID             types.UID
	State           wire.State
	// Damaged is why the Secret is no record that can be read; its State is empty
	// then. Only List returns such a one.
	Damaged error
}

// Of reports whether the run is of this very node, and not of one of its name that
// has left since. A record that does not say holds the node that is there, but is
// not taken up (Begin).
func (r Record) Of(node *corev1.Node) bool {
	return r.State.NodeUID == "" || node.UID == "" || r.State.NodeUID == string(node.UID)
}

// NameFor is the name of a node's record, and of everything that belongs to it.
func NameFor(node string) string { return kube.RunName(node) }

// Get reads a node's record; found is false when there is none. A Secret of that
// name which is no record, or that of another node, is refused: so the State's
// Node is always the one that was asked for.
func Get(ctx context.Context, c Cluster, node string) (rec Record, found bool, err error) {
	client, namespace := c.Client, c.RunNamespace()
	if err := c.guard(ctx); err != nil {
		return Record{}, false, err
	}
	secret, err := client.CoreV1().Secrets(namespace).Get(ctx, NameFor(node), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, fmt.Errorf("get run record secret %s/%s: %w", namespace, NameFor(node), err)
	}
	rec, err = parse(secret)
	if err == nil && rec.State.Node != node {
		err = refuseRecord(rec, fmt.Errorf("it is named for node %s and says that it is of node %s", node, rec.State.Node))
	}
	if err != nil {
		return Record{Namespace: rec.Namespace, Name: rec.Name, UID: rec.UID}, true, err
	}
	return rec, true, nil
}

// List reads all records of the cluster's namespace, sorted by name. One that
// cannot be read is there as Damaged, and spoils nothing else. What an operation
// without a record left that was killed is none: the next one replaces it.
func List(ctx context.Context, c Cluster) ([]Record, error) {
	client, namespace := c.Client, c.RunNamespace()
	if err := c.guard(ctx); err != nil {
		return nil, err
	}
	secrets, err := client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{LabelSelector: Label})
	if err != nil {
		return nil, fmt.Errorf("list run records in %s: %w", namespace, err)
	}
	var records []Record
	for i := range secrets.Items {
		rec, err := parse(&secrets.Items[i])
		operation, known := find(Operations(), rec.State.Operation)
		once := err == nil && rec.Name == NameFor(rec.State.Node)+onceSuffix && known && !operation.Recorded
		switch {
		case once:
			continue
		case err == nil && rec.Name != NameFor(rec.State.Node):
			err = refuseRecord(rec, fmt.Errorf("it says that it is of node %s, whose record has another name", rec.State.Node))
		}
		if err != nil {
			rec = Record{Namespace: rec.Namespace, Name: rec.Name, UID: rec.UID, Damaged: err}
		}
		records = append(records, rec)
	}
	return records, nil
}

func parse(secret *corev1.Secret) (Record, error) {
	rec := Record{Namespace: secret.Namespace, Name: secret.Name, UID: secret.UID}
	if secret.Labels[Label] == "" {
		return rec, plan.Refuse(fmt.Errorf("secret %s/%s is not a run record", secret.Namespace, secret.Name),
			"something else uses that name; look at it before you delete it")
	}
	if err := heldBack(secret); err != nil {
		return rec, err
	}
	state, err := wire.Parse(secret.Data)
	if err != nil {
		return rec, refuseRecord(rec, err)
	}
	rec.State = state
	return rec, nil
}

// heldBack is the refusal of a record that is being deleted and does not go: something has
// put a finalizer on it, as the host could whose record it is. Nil for any other.
func heldBack(secret *corev1.Secret) error {
	if secret.DeletionTimestamp == nil || len(secret.Finalizers) == 0 {
		return nil
	}
	return plan.Refuse(fmt.Errorf("secret %s/%s is a run record that is being deleted since %s, and is held by %s", secret.Namespace,
		secret.Name, secret.DeletionTimestamp.UTC().Format(time.DateTime), text.Short(strings.Join(secret.Finalizers, ", "), 200)),
		"kubectl lifecycle puts no finalizer on a record: find out what did; if nothing needs it: %s", text.Command("kubectl", "-n",
			secret.Namespace, "patch", "secret", secret.Name, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`))
}

// refuseRecord is the refusal of a Secret that is labelled as a record and is
// none to rely on.
func refuseRecord(rec Record, why error) error {
	return plan.Refuse(fmt.Errorf("secret %s/%s is not a run record to rely on: %w", rec.Namespace, rec.Name, why),
		"it was written by another version, by hand, or by a host that is not to be trusted; look at it, and if no run is under way: %s",
		text.Command("kubectl", "-n", rec.Namespace, "delete", "secret", rec.Name))
}

// ErrBusy is wrapped by the refusal of a node that another run holds.
var ErrBusy = podcarrier.ErrBusy

// create makes the record, which is the lock: of two that try, one wins. The
// other gets the refusal with who, what and since when.
func create(ctx context.Context, c Cluster, o Owner) (Record, error) {
	client, namespace := c.Client, c.RunNamespace()
	if err := c.guard(ctx); err != nil {
		return Record{}, err
	}
	secret, state := o.begin(namespace, NameFor(o.Node))
	made, err := client.CoreV1().Secrets(namespace).Create(ctx, secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		other, found, getErr := Get(ctx, c, o.Node)
		if getErr != nil {
			return Record{}, getErr
		}
		if found {
			return other, busy(other)
		}
		return Record{}, fmt.Errorf("create run record %s/%s: it was deleted concurrently; run the command again", namespace, NameFor(o.Node))
	}
	if err != nil {
		return Record{}, fmt.Errorf("create run record secret %s/%s: %w", namespace, NameFor(o.Node), err)
	}
	return Record{Namespace: made.Namespace, Name: made.Name, UID: made.UID, State: state}, nil
}

// begin is what a run's Secret says at first, as an object and as a state.
func (o Owner) begin(namespace, name string) (*corev1.Secret, wire.State) {
	state := wire.State{Operation: o.Operation, Node: o.Node, NodeUID: string(o.NodeUID), Who: o.Who, Since: time.Now(),
		Phase: wire.Preparing, Terms: o.Terms}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{Label: string(o.Operation)}},
		StringData: map[string]string{
			wire.KeyOperation: string(o.Operation),
			wire.KeyNode:      o.Node,
			wire.KeyNodeUID:   string(o.NodeUID),
			wire.KeyWho:       o.Who,
			wire.KeySince:     state.Since.UTC().Format(time.RFC3339),
			wire.KeyPhase:     string(state.Phase),
			wire.KeyTerms:     o.Terms,
		},
	}, state
}

// busy is the refusal of a node with a record of another operation.
func busy(rec Record) error {
	return plan.Refuse(fmt.Errorf("%w: %s", ErrBusy, rec.State.Describe()),
		"wait for it, or abort it: %s", text.Command("kubectl", "lifecycle", "runs", "abort", rec.State.Node))
}
