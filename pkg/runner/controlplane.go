// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// controlPlanesLock is the name of the Secret whose creation is the lock on all control
// planes. No record has such a name, and no host's token may touch it.
const controlPlanesLock = "lifecycle.control-planes"

// isControlPlane reports whether the run of a task takes a control plane out.
func (t Task) isControlPlane() bool {
	return kube.IsControlPlane(t.Node)
}

// Annotations of a lock that no record owns: who took it, when, and which command of
// theirs.
const (
	lockedBy    = "lifecycle.kubectl.io/locked-by"
	lockedSince = "lifecycle.kubectl.io/locked-since"
	lockedTurn  = "lifecycle.kubectl.io/locked-turn"
)

// planeHolder is what may hold the lock on all control planes.
type planeHolder struct {
	namespace, node string
	// owner is the record of a run, or the Node that is given up, which has none.
	owner metav1.OwnerReference
	// who and turn are the person and the command, for a Node that is given up.
	who, turn string
}

// holdControlPlanes takes the lock for a run, with whose record it goes.
func (c Cluster) holdControlPlanes(ctx context.Context, rec Record) error {
	return c.hold(ctx, planeHolder{namespace: rec.Namespace, node: rec.State.Node, owner: rec.ownerRef()})
}

// HoldControlPlanes takes the lock for a control-plane node that is given up: nothing
// runs on its host, so there is no record. The lock goes with the Node. What is returned
// gives the lock back before that. A second command of the same person takes the lock
// over, as the first may have been killed; the first then gives nothing back. One of
// another person is refused.
func (c Cluster) HoldControlPlanes(ctx context.Context, node *corev1.Node, who string) (release func(context.Context) error, err error) {
	h := planeHolder{namespace: c.RunNamespace(), node: node.Name, who: who, turn: rand.Text(),
		owner: metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}
	if err := c.hold(ctx, h); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		return releaseControlPlanes(ctx, h, c.Client.CoreV1().Secrets(h.namespace))
	}, nil
}

// hold lets one control plane be worked on at a time: of two that are begun at the same
// moment the API server lets one create the lock. It goes with what owns it; one whose
// owner is gone is replaced. Any other holder is refused, by name.
func (c Cluster) hold(ctx context.Context, h planeHolder) error {
	secrets := c.Client.CoreV1().Secrets(h.namespace)
	lock := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: controlPlanesLock, Namespace: h.namespace,
		OwnerReferences: []metav1.OwnerReference{h.owner}}}
	if h.who != "" {
		lock.Annotations = map[string]string{lockedBy: h.who, lockedTurn: h.turn,
			lockedSince: time.Now().UTC().Format(time.RFC3339)}
	}
	const tries = 3
	for range tries {
		_, err := secrets.Create(ctx, lock, metav1.CreateOptions{})
		if err == nil {
			return nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create secret %s/%s: %w", h.namespace, controlPlanesLock, err)
		}
		there, err := secrets.Get(ctx, controlPlanesLock, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("get secret %s/%s: %w", h.namespace, controlPlanesLock, err)
		}
		free, err := c.freeControlPlanes(ctx, h, there)
		if err != nil || !free {
			return err
		}
	}
	return fmt.Errorf("create secret %s/%s: others create and delete it; run the command again", h.namespace, controlPlanesLock)
}

// freeControlPlanes deletes a lock whose owner is gone, or that an earlier command of the
// same person took for the same Node. free is false where the lock is that of the
// holder's record; a lock that another holds is refused.
func (c Cluster) freeControlPlanes(ctx context.Context, h planeHolder, lock *corev1.Secret) (free bool, err error) {
	secrets := c.Client.CoreV1().Secrets(h.namespace)
	drop := text.Command("kubectl", "-n", h.namespace, "delete", "secret", lock.Name)
	if lock.Annotations[lockedFor] != "" {
		return false, heldBy(lock)
	}
	if len(lock.OwnerReferences) != 1 {
		return false, notALock(h.namespace, lock.Name, drop)
	}
	owner := lock.OwnerReferences[0]
	switch {
	case owner.UID != h.owner.UID:
	case owner.Kind != "Node":
		return false, nil
	case lock.Annotations[lockedBy] == h.who:
		return true, deleteVery(ctx, secrets, lock) // and this command's takes its place
	}
	holder, secret, known, err := c.holderOf(ctx, h.namespace, owner)
	if !known {
		return false, notALock(h.namespace, lock.Name, drop)
	}
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return false, fmt.Errorf("get %s %s, which holds secret %s/%s: %w", owner.Kind, owner.Name, h.namespace, lock.Name, err)
	case err != nil || holder.GetUID() != owner.UID:
		return true, deleteVery(ctx, secrets, lock)
	case secret == nil:
		return false, givenUp(lock, h.node, drop)
	}
	other, err := parse(secret)
	if err != nil {
		return false, err
	}
	if h.owner.Kind == "Node" && other.Name == NameFor(h.node) {
		return false, nil // the run that its host has died of
	}
	return false, plan.Refuse(fmt.Errorf("%w: another control-plane node is, and they go one at a time: %s", ErrBusy, other.State.Describe()),
		"wait until it has ended: %s", text.Command("kubectl", "lifecycle", "runs", "follow", other.State.Node))
}

// holderOf reads what owns a lock: the record of a run, which is a Secret, or a Node. known is
// false for anything else.
func (c Cluster) holderOf(ctx context.Context, namespace string, owner metav1.OwnerReference) (holder metav1.Object, secret *corev1.Secret,
	known bool, err error) {
	switch owner.Kind {
	case "Secret":
		secret, err = c.Client.CoreV1().Secrets(namespace).Get(ctx, owner.Name, metav1.GetOptions{})
		return secret, secret, true, err
	case "Node":
		node, err := c.Client.CoreV1().Nodes().Get(ctx, owner.Name, metav1.GetOptions{})
		return node, nil, true, err
	}
	return nil, nil, false, nil
}

// givenUp is the refusal of a lock that a Node holds: the same one, which another person
// gives up, or another.
func givenUp(lock *corev1.Secret, node, drop string) error {
	held, way := lock.OwnerReferences[0].Name, ""
	which := ""
	if held != node {
		which = "another control-plane node is, and they go one at a time: "
		way = "; if it was interrupted, finish it: " + text.Command("kubectl", "lifecycle", "remove", held, "--node-lost")
	}
	return plan.Refuse(fmt.Errorf("%w: %snode %s is given up by %s since %s", ErrBusy, which, held,
		text.Short(lock.Annotations[lockedBy], 200), text.Short(lock.Annotations[lockedSince], 40)),
		"wait until that has ended%s\nor, if no such command runs any more: %s", way, drop)
}

func notALock(namespace, name, drop string) error {
	return plan.Refuse(fmt.Errorf("secret %s/%s already exists and was not created by kubectl lifecycle", namespace, name),
		"look at it; if nothing needs it: %s", drop)
}

// releaseControlPlanes deletes the lock if its owner is the holder's, and the command that
// took it is.
func releaseControlPlanes(ctx context.Context, h planeHolder, in remover[*corev1.Secret]) error {
	lock, err := in.Get(ctx, controlPlanesLock, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("get secret %s/%s: %w", h.namespace, controlPlanesLock, err)
	case len(lock.OwnerReferences) != 1 || lock.OwnerReferences[0].UID != h.owner.UID || lock.Annotations[lockedTurn] != h.turn:
		return nil
	}
	return deleteVery(ctx, in, lock)
}
