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
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Ask runs the program on a node once, for an operation without a record, and
// returns its answer. It makes one pod, which is gone afterwards. Where nothing
// can be streamed into a pod, question and answer travel in Secrets, of which
// none is left either.
func Ask(ctx context.Context, c Cluster, node *corev1.Node, question Question, report plan.Report) (json.RawMessage, error) {
	rec, held, err := Get(ctx, c, node.Name)
	if err != nil {
		return nil, err
	}
	if held && rec.State.Resumable() {
		return nil, busy(rec)
	}
	spec, err := c.door(ctx, NameFor(node.Name)+lookSuffix, question.Operation, node)
	if err != nil {
		return nil, err
	}
	pod, err := c.open(ctx, spec, report)
	if err != nil {
		return nil, err
	}
	report("asking the host")
	delivery := wire.Delivery{Spec: wire.Spec{
		Operation: question.Operation, Node: node.Name, Task: question.Input, Destination: question.Destination,
		MachineID: node.Status.NodeInfo.MachineID, BootID: node.Status.NodeInfo.BootID,
	}}
	answer, err := c.pass(ctx, pod, spec.payload.Program, delivery)
	closed := c.close(ctx, pod)
	if !errors.Is(err, errAttach) || closed != nil || ctx.Err() != nil {
		return answer.Result, errors.Join(err, closed)
	}
	report("nothing can be streamed to this node (%v): the program goes in Secrets, and the answer comes in one", err)
	result, sent := c.askInSecrets(ctx, spec, delivery, report)
	if apierrors.IsForbidden(sent) {
		sent = neither(err, sent)
	}
	return result, sent
}

// neither is the refusal where a program may neither be streamed nor sent.
func neither(streamed, sent error) error {
	return plan.Refuse(fmt.Errorf("%w; and it may not go in Secrets: %w", streamed, sent),
		"allow the one ('create pods/attach', and port 10250 of the node open to the API server) or the other (what 'remove' needs: docs/rbac.yaml)")
}

// askInSecrets has the program write its answer into a Secret, the one thing of
// the cluster's that it may touch.
func (c Cluster) askInSecrets(ctx context.Context, spec podSpec, delivery wire.Delivery, report plan.Report) (_ json.RawMessage, err error) {
	rec, err := c.blank(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		err = errors.Join(err, End(cleanup, c.Client, rec))
	}()
	if delivery.Token, err = rec.identity(ctx, c.Client, tokenOfLook); err != nil {
		return nil, err
	}
	endpoints, ca, err := c.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	delivery.Spec.Record, delivery.Spec.Endpoints, delivery.Spec.CA = rec.ref(), lastOf(endpoints, spec.node), ca
	owner := rec.ownerRef()
	spec.owner = &owner
	if err := c.send(ctx, door{rec: rec, spec: spec}, delivery, report); err != nil {
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
	return answer, tooLong(wire.Answer{Result: answer})
}

// blank makes the Secret that the answer is written into. One of an earlier look
// that was interrupted is replaced: nobody has the door of it open.
func (c Cluster) blank(ctx context.Context, spec podSpec) (Record, error) {
	secrets := c.Client.CoreV1().Secrets(spec.namespace)
	wanted, state := Owner{Operation: wire.Operation(spec.operation), Node: spec.node.Name}.begin(spec.namespace, spec.name)
	rec := Record{Namespace: spec.namespace, Name: spec.name, State: state}
	made, err := secrets.Create(ctx, wanted, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		old, getErr := secrets.Get(ctx, spec.name, metav1.GetOptions{})
		if getErr != nil {
			return rec, fmt.Errorf("get secret %s/%s: %w", spec.namespace, spec.name, getErr)
		}
		if old.Labels[Label] != spec.operation || string(old.Data[wire.KeyNode]) != spec.node.Name {
			return rec, plan.Refuse(fmt.Errorf("secret %s/%s is there and not of a look at node %s", spec.namespace, spec.name, spec.node.Name),
				"look at it before you delete it")
		}
		if err := End(ctx, c.Client, Record{Namespace: spec.namespace, Name: spec.name, UID: old.UID}); err != nil {
			return rec, err
		}
		made, err = secrets.Create(ctx, wanted, metav1.CreateOptions{})
	}
	if err != nil {
		return rec, fmt.Errorf("create secret %s/%s: %w", spec.namespace, spec.name, err)
	}
	rec.UID = made.UID
	return rec, nil
}
