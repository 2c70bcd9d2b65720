// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// canaryTimeout bounds the wait for the program's first word from the host.
const canaryTimeout = 60 * time.Second

// Owner says who begins what on which node.
type Owner struct {
	Node      string
	NodeUID   types.UID
	Operation wire.Operation
	// Who is "user@host", for the person who finds the node held.
	Who string
	// Terms is what the run is told to do, in words; see wire.KeyTerms.
	Terms string
}

// Task is a run to begin.
type Task struct {
	Owner
	Node *corev1.Node
	// Input is the operation's own input, as JSON.
	Input json.RawMessage
	// Patience is how long the program on the host waits for an order before
	// it takes the way back by itself; zero means an hour.
	Patience time.Duration
	// Destination is the cluster that the host is to join (Move), JoinToken a
	// bootstrap token for it: with its id, which the record keeps, and whole.
	Destination *wire.Destination
	JoinToken   JoinToken
}

// JoinToken is a bootstrap token on its way to a host.
type JoinToken struct{ ID, Whole string }

// String is the id: a token is never shown whole by accident.
func (t JoinToken) String() string { return t.ID }

// Begin holds the node and starts the program on it as a unit that has changed
// nothing yet: the canary. A run of the same operation that is already there
// is taken up where it is; one of another operation is refused with who, what
// and since when. The record of a node that has joined again since says nothing about
// the one that is there now, and is replaced. When Begin fails nothing is left behind.
func Begin(ctx context.Context, c Cluster, t Task, report plan.Report) (Record, error) {
	t.Owner.Node, t.NodeUID = t.Node.Name, t.Node.UID
	rec, err := create(ctx, c, t.Owner)
	if errors.Is(err, ErrBusy) && !rec.Of(t.Node) {
		report("replacing the record of an earlier node of that name: %s", rec.State.Describe())
		if err := End(ctx, c.Client, rec); err != nil {
			return Record{}, err
		}
		rec, err = create(ctx, c, t.Owner)
	}
	if err != nil {
		if !errors.Is(err, ErrBusy) || rec.State.Operation != t.Operation {
			return Record{}, err
		}
		if rec.State.NodeUID != string(t.Node.UID) {
			return Record{}, refuseRecord(rec, fmt.Errorf("it does not name the UID of the current Node %s", t.Node.Name))
		}
		report("taking up the %s", rec.State.Describe())
		if rec.State.Phase != wire.Preparing {
			return rec, nil
		}
	}
	begun, err := c.start(ctx, rec, t, report)
	if err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		return Record{}, errors.Join(err, End(cleanup, c.Client, rec))
	}
	return begun, nil
}

// start gives the record its identity, opens the way and waits for the
// program's first word, which it sends from the host itself.
func (c Cluster) start(ctx context.Context, rec Record, t Task, report plan.Report) (Record, error) {
	if t.isControlPlane() {
		if err := c.holdControlPlanes(ctx, rec); err != nil {
			return rec, err
		}
	}
	ref := rec.ref()
	carrier, err := c.carrier(ctx, podcarrier.Request{Name: rec.Name, Operation: t.Operation, Node: t.Node, Record: &ref}, report)
	if err != nil {
		return rec, err
	}
	endpoints, ca, err := c.endpoints(ctx)
	if err != nil {
		return rec, err
	}
	endpoints = lastOf(endpoints, t.Node)
	token, err := rec.identity(ctx, c.Client, tokenOfRun)
	if err != nil {
		return rec, err
	}
	if err := carrier.Open(ctx, report); err != nil {
		return rec, err
	}
	if err := c.tell(ctx, rec, t); err != nil {
		return rec, err
	}
	report("handing the program to the host")
	patience := t.Patience
	if patience == 0 {
		patience = time.Hour
	}
	delivery := wire.Delivery{Token: token, JoinToken: t.JoinToken.Whole, Spec: wire.Spec{
		Destination: t.Destination,
		Operation:   t.Operation, Node: t.Node.Name, Record: ref, Endpoints: endpoints, CA: ca, Task: t.Input, Patience: patience,
		MachineID: t.Node.Status.NodeInfo.MachineID, BootID: t.Node.Status.NodeInfo.BootID,
	}}
	if _, err := carrier.Deliver(ctx, delivery, report); err != nil {
		return rec, err
	}
	report("waiting for the program's first word from the host")
	return c.firstWord(ctx, rec, t.Node.Name, endpoints)
}

// firstWord waits for what the program sends from the host itself.
func (c Cluster) firstWord(ctx context.Context, rec Record, node string, endpoints []string) (Record, error) {
	word, cancel := context.WithTimeout(ctx, canaryTimeout)
	defer cancel()
	state, err := c.await(word, rec, nil, func(s wire.State) bool { return s.Phase != wire.Preparing })
	if err != nil {
		return rec, plan.Refuse(fmt.Errorf("the program on node %s did not report within %s: %w", node, canaryTimeout, err),
			"can the host reach an API server at %v? On the host: journalctl -u kubectl-lifecycle", endpoints)
	}
	rec.State = state
	if state.Phase == wire.Aborted && state.Error != "" {
		why, wayOut, _ := strings.Cut(state.Error, "\n")
		return rec, plan.Refuse(fmt.Errorf("the host of node %s refuses: %s", node, why), "%s", wire.Advice(node, wayOut))
	}
	return rec, nil
}

// tell writes into the record what another plugin has to know to take the run up.
func (c Cluster) tell(ctx context.Context, rec Record, t Task) error {
	told := map[string]string{}
	if t.JoinToken.ID != "" {
		told[wire.KeyToken] = t.JoinToken.ID
	}
	if t.Terms != rec.State.Terms {
		told[wire.KeyTerms] = t.Terms
	}
	if len(told) == 0 {
		return nil
	}
	return annotate(ctx, c.Client, rec, told)
}

// SendOrder leaves an order in the record.
func SendOrder(ctx context.Context, client kubernetes.Interface, rec Record, order wire.Order) error {
	return annotate(ctx, client, rec, map[string]string{wire.KeyOrder: string(order)})
}

// NoteCordoned remembers in the record that the run cordoned the node.
func NoteCordoned(ctx context.Context, client kubernetes.Interface, rec Record) error {
	return annotate(ctx, client, rec, map[string]string{wire.KeyCordoned: "true"})
}

// annotate patches the record's data; the UID keeps it from reaching a later
// record of the same name.
func annotate(ctx context.Context, client kubernetes.Interface, rec Record, data map[string]string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": rec.UID}, "stringData": data})
	if err != nil {
		return fmt.Errorf("encode a patch: %w", err)
	}
	if _, err := client.CoreV1().Secrets(rec.Namespace).Patch(ctx, rec.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("patch run record secret %s/%s: %w", rec.Namespace, rec.Name, err)
	}
	return nil
}

// KeepAlive gives a sign of life in the record until the context ends: as long
// as it changes, the program on the host is patient. A patch that fails is no
// harm, the next one may not.
func KeepAlive(ctx context.Context, client kubernetes.Interface, rec Record, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		_ = annotate(ctx, client, rec, map[string]string{wire.KeyAlive: time.Now().UTC().Format(time.RFC3339)})
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
