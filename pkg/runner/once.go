// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Question is what a host is asked without a run: the operation and its input, as
// JSON.
type Question struct {
	Operation wire.Operation
	Input     json.RawMessage
	// Destination is a cluster that the host is to look at; nil for none.
	Destination *wire.Destination
	// StreamOnly is true of a question with a secret in it: where nothing can be
	// streamed into a pod, it does not travel in Secrets, but is refused.
	StreamOnly bool
}

// RunOnce runs the program on a node once, for an operation without a record, and
// returns its answer. It makes one pod, which is gone afterwards. Where nothing can
// be streamed into a pod, question and answer travel in Secrets, of which none is
// left either.
func RunOnce(ctx context.Context, c Cluster, node *corev1.Node, question Question, report plan.Report) (json.RawMessage, error) {
	rec, held, err := Get(ctx, c, node.Name)
	if err != nil {
		return nil, err
	}
	if held && rec.State.Resumable() {
		return nil, busy(rec)
	}
	request := podcarrier.Request{Name: NameFor(node.Name) + onceSuffix, Operation: question.Operation, Node: node}
	carrier, err := c.carrier(ctx, request, report)
	if err != nil {
		return nil, err
	}
	if err := carrier.Open(ctx, report); err != nil {
		return nil, err
	}
	report("asking the host")
	delivery := wire.Delivery{Spec: wire.Spec{
		Operation: question.Operation, Node: node.Name, Task: question.Input, Destination: question.Destination,
		MachineID: node.Status.NodeInfo.MachineID, BootID: node.Status.NodeInfo.BootID,
	}}
	answer, err := carrier.Deliver(ctx, delivery, report)
	closed := carrier.Close(ctx)
	if !errors.Is(err, podcarrier.ErrNoStream) || closed != nil || ctx.Err() != nil {
		return answer.Result, errors.Join(err, closed)
	}
	if refusal := question.mayTravel(err); refusal != nil {
		return nil, refusal
	}
	result, sent := c.askInSecrets(ctx, carrier, node, delivery, report)
	if apierrors.IsForbidden(sent) {
		sent = neither(err, sent)
	}
	return result, sent
}

// mayTravel refuses to send a question with a secret in it in Secrets, after it could not
// be streamed.
func (q Question) mayTravel(streamed error) error {
	if !q.StreamOnly {
		return nil
	}
	return plan.Refuse(fmt.Errorf("%w; and what was to be sent may be secret: it goes in no other way", streamed),
		"allow it: 'create pods/attach', and port 10250 of the node open to the API server")
}

// neither is the refusal where a program may neither be streamed nor sent.
func neither(streamed, sent error) error {
	return plan.Refuse(fmt.Errorf("%w; and the fallback through Secrets is not permitted: %w", streamed, sent),
		"allow the one ('create pods/attach', and port 10250 of the node open to the API server) or the other (what 'remove' needs: "+
			"docs/rbac.yaml)")
}

// askInSecrets has the program write its answer into a Secret, the one thing of the
// cluster's that it may touch.
func (c Cluster) askInSecrets(
	ctx context.Context, carrier Carrier, node *corev1.Node, delivery wire.Delivery, report plan.Report,
) (_ json.RawMessage, err error) {
	rec, err := c.answerRecord(ctx, Owner{Operation: delivery.Spec.Operation, Node: node.Name})
	if err != nil {
		return nil, err
	}
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		err = errors.Join(err, End(cleanup, c.Client, rec))
	}()
	if delivery.Token, err = rec.identity(ctx, c.Client, tokenOfOnce); err != nil {
		return nil, err
	}
	endpoints, ca, err := c.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	delivery.Spec.Record, delivery.Spec.Endpoints, delivery.Spec.CA = rec.ref(), lastOf(endpoints, node), ca
	report("the answer comes in secret %s/%s", rec.Namespace, rec.Name)
	if _, err := carrier.Deliver(ctx, delivery, report); err != nil {
		return nil, err
	}
	secret, err := c.Client.CoreV1().Secrets(rec.Namespace).Get(ctx, rec.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get secret %s/%s: %w", rec.Namespace, rec.Name, err)
	}
	answer, err := wire.Unpack(secret.Data[wire.KeyAnswer])
	if err != nil {
		return nil, fmt.Errorf("read the answer in secret %s/%s: %w", rec.Namespace, rec.Name, err)
	}
	return answer, podcarrier.TooLong(answer)
}

// answerRecord makes the Secret that the answer is written into. One of an earlier
// question that was interrupted is replaced: nothing waits for its answer any more.
func (c Cluster) answerRecord(ctx context.Context, owner Owner) (Record, error) {
	namespace, name := c.RunNamespace(), NameFor(owner.Node)+onceSuffix
	secrets := c.Client.CoreV1().Secrets(namespace)
	wanted, state := owner.begin(namespace, name)
	rec := Record{Namespace: namespace, Name: name, State: state}
	made, err := secrets.Create(ctx, wanted, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		old, getErr := secrets.Get(ctx, name, metav1.GetOptions{})
		if getErr != nil {
			return rec, fmt.Errorf("get secret %s/%s: %w", namespace, name, getErr)
		}
		if old.Labels[Label] != string(owner.Operation) || string(old.Data[wire.KeyNode]) != owner.Node {
			return rec, plan.Refuse(fmt.Errorf("secret %s/%s already exists and does not belong to an inspection of node %s", namespace, name,
				owner.Node),
				"look at it before you delete it")
		}
		if err := End(ctx, c.Client, Record{Namespace: namespace, Name: name, UID: old.UID}); err != nil {
			return rec, err
		}
		made, err = secrets.Create(ctx, wanted, metav1.CreateOptions{})
	}
	if err != nil {
		return rec, fmt.Errorf("create secret %s/%s: %w", namespace, name, err)
	}
	rec.UID = made.UID
	return rec, nil
}
