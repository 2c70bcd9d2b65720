// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// controlPlanesLock is the name of the Secret whose creation is the lock on all control
// planes. No record has such a name, and no host's token may touch it.
const controlPlanesLock = "lifecycle.control-planes"

// isControlPlane reports whether the run of a task takes a control plane out.
func (t Task) isControlPlane() bool {
	_, is := t.Node.Labels["node-role.kubernetes.io/control-plane"]
	return is
}

// holdControlPlanes lets one control plane be worked on at a time: of two that are begun
// at the same moment the API server lets one create the lock. It goes with the record
// that owns it; one whose record is gone is replaced. Any other holder is refused, by
// name.
func (c Cluster) holdControlPlanes(ctx context.Context, rec Record) error {
	secrets := c.Client.CoreV1().Secrets(rec.Namespace)
	lock := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: controlPlanesLock, Namespace: rec.Namespace,
		OwnerReferences: []metav1.OwnerReference{rec.ownerRef()}}}
	const tries = 3
	for range tries {
		_, err := secrets.Create(ctx, lock, metav1.CreateOptions{})
		if err == nil {
			return nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create secret %s/%s: %w", rec.Namespace, controlPlanesLock, err)
		}
		there, err := secrets.Get(ctx, controlPlanesLock, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("get secret %s/%s: %w", rec.Namespace, controlPlanesLock, err)
		}
		free, err := c.freeControlPlanes(ctx, rec, there)
		if err != nil || !free {
			return err
		}
	}
	return fmt.Errorf("create secret %s/%s: others create and delete it; run the command again", rec.Namespace, controlPlanesLock)
}

// freeControlPlanes deletes a lock whose record is gone. free is false where the lock is
// the record's own; a lock of another's is refused.
func (c Cluster) freeControlPlanes(ctx context.Context, rec Record, lock *corev1.Secret) (free bool, err error) {
	secrets := c.Client.CoreV1().Secrets(rec.Namespace)
	if len(lock.OwnerReferences) != 1 || lock.OwnerReferences[0].Kind != "Secret" {
		return false, plan.Refuse(fmt.Errorf("secret %s/%s already exists and was not created by kubectl lifecycle", rec.Namespace, lock.Name),
			"look at it; if nothing needs it: %s", text.Command("kubectl", "-n", rec.Namespace, "delete", "secret", lock.Name))
	}
	owner := lock.OwnerReferences[0]
	if owner.UID == rec.UID {
		return false, nil
	}
	holder, err := secrets.Get(ctx, owner.Name, metav1.GetOptions{})
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return false, fmt.Errorf("get secret %s/%s: %w", rec.Namespace, owner.Name, err)
	case err != nil || holder.UID != owner.UID:
		return true, deleteVery(ctx, secrets, lock)
	}
	other, err := parse(holder)
	if err != nil {
		return false, err
	}
	return false, plan.Refuse(fmt.Errorf("%w: another control-plane node is, and they go one at a time: %s", ErrBusy, other.State.Describe()),
		"wait until it has ended: %s", text.Command("kubectl", "lifecycle", "runs", "follow", other.State.Node))
}

// releaseControlPlanes deletes the lock if it is the record's.
func releaseControlPlanes(ctx context.Context, rec Record, in remover[*corev1.Secret]) error {
	lock, err := in.Get(ctx, controlPlanesLock, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("get secret %s/%s: %w", rec.Namespace, controlPlanesLock, err)
	case len(lock.OwnerReferences) != 1 || lock.OwnerReferences[0].UID != rec.UID:
		return nil
	}
	return deleteVery(ctx, in, lock)
}
