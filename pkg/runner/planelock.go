// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// lockedFor says what a command does on the control planes that holds their lock by
	// itself, and not for a run or a Node; lockedAlive, when it last said that it is there.
	lockedFor   = "lifecycle.kubectl.io/locked-for"
	lockedAlive = "lifecycle.kubectl.io/locked-alive"
	// alive is how often a command says so, and silent how long a lock has to be unchanged
	// before its command counts as killed: longer than the API servers may be away while
	// their certificates are renewed. No clock but one's own is asked.
	alive  = 10 * time.Second
	silent = 60 * time.Second
	// releaseLimit bounds giving the lock back.
	releaseLimit = 15 * time.Second
)

// Purpose is what a command does that holds the lock on all control planes by itself.
type Purpose string

// Renewing is the purpose of a command that renews certificates.
const Renewing Purpose = "certificates are renewed"

// again is the command that goes on where an interrupted one was; empty for what is unknown.
func (p Purpose) again() string {
	if p == Renewing {
		return "kubectl lifecycle certs renew all"
	}
	return ""
}

// PlaneLock is the lock on all control planes, held by a command that works on one after
// another. It is the Secret that a removal of a control plane takes, too, so that of both
// only one is at work.
type PlaneLock struct {
	c     Cluster
	turn  string
	named metav1.ObjectMeta
}

// LockControlPlanes takes the lock for a command. One that any other command holds is
// refused, be it of the same person; one of a command that was killed is taken over, after
// its silence was seen.
func (c Cluster) LockControlPlanes(ctx context.Context, why Purpose, who string, report plan.Report) (*PlaneLock, error) {
	now := time.Now().UTC().Format(time.RFC3339)
	l := &PlaneLock{c: c, turn: rand.Text()}
	l.named = metav1.ObjectMeta{Name: controlPlanesLock, Namespace: c.RunNamespace(), Annotations: map[string]string{
		lockedFor: string(why), lockedBy: who, lockedSince: now, lockedAlive: now, lockedTurn: l.turn}}
	secrets := c.Client.CoreV1().Secrets(l.named.Namespace)
	const tries = 3
	for range tries {
		_, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: l.named}, metav1.CreateOptions{})
		if err == nil {
			return l, nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("create secret %s/%s: %w", l.named.Namespace, controlPlanesLock, err)
		}
		there, err := secrets.Get(ctx, controlPlanesLock, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("get secret %s/%s: %w", l.named.Namespace, controlPlanesLock, err)
		}
		if there.Annotations[lockedFor] == "" {
			_, err = c.freeControlPlanes(ctx, planeHolder{namespace: l.named.Namespace}, there)
		} else {
			err = l.takeOver(ctx, there, report)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("create secret %s/%s: others create and delete it; run the command again", l.named.Namespace, controlPlanesLock)
}

// takeOver deletes the lock of a command that says nothing any more.
func (l *PlaneLock) takeOver(ctx context.Context, there *corev1.Secret, report plan.Report) error {
	secrets := l.c.Client.CoreV1().Secrets(there.Namespace)
	report("the control planes are held: %s; waiting up to %s to see whether that command still runs", heldFor(there), silent)
	for deadline := time.Now().Add(silent); time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(alive / 2):
		}
		now, err := secrets.Get(ctx, there.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return fmt.Errorf("get secret %s/%s: %w", there.Namespace, there.Name, err)
		case now.UID != there.UID, now.ResourceVersion != there.ResourceVersion,
			now.Annotations[lockedAlive] != there.Annotations[lockedAlive]:
			return heldBy(now)
		}
	}
	report("that command was killed: its lock is taken over")
	err := secrets.Delete(ctx, there.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &there.UID,
		ResourceVersion: &there.ResourceVersion}})
	if apierrors.IsConflict(err) {
		return heldBy(there)
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete secret %s/%s: %w", there.Namespace, there.Name, err)
	}
	return nil
}

// Keep does some work under the lock. It is checked first, and said to be alive on the way;
// where it is not this command's any more, the work is not begun, or its end is an error.
func (l *PlaneLock) Keep(ctx context.Context, work func(ctx context.Context) error) error {
	if err := l.refresh(ctx); err != nil {
		return err
	}
	done, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		var lost error
		tick := time.NewTicker(alive)
		defer tick.Stop()
		for {
			select {
			case <-done:
				stopped <- lost
				return
			case <-tick.C:
				// An API server that is away for a moment loses no lock.
				if err := l.refresh(ctx); errors.Is(err, errLockLost) {
					lost = err
				}
			}
		}
	}()
	err := work(ctx)
	close(done)
	if lost := <-stopped; lost != nil && err == nil {
		return plan.Begun(lost)
	}
	return err
}

var errLockLost = errors.New("the lock on the control planes is not this command's any more")

// refresh says that the command is there, if the lock is its own.
func (l *PlaneLock) refresh(ctx context.Context) error {
	key := func(annotation string) string {
		return "/metadata/annotations/" + strings.ReplaceAll(annotation, "/", "~1")
	}
	patch, err := json.Marshal([]map[string]string{
		{"op": "test", "path": key(lockedTurn), "value": l.turn},
		{"op": "replace", "path": key(lockedAlive), "value": time.Now().UTC().Format(time.RFC3339Nano)},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, alive)
	defer cancel()
	secrets := l.c.Client.CoreV1().Secrets(l.named.Namespace)
	lock, err := secrets.Get(ctx, controlPlanesLock, metav1.GetOptions{})
	if err == nil && lock.Annotations[lockedTurn] != l.turn {
		err = apierrors.NewNotFound(corev1.Resource("secrets"), controlPlanesLock)
	}
	if err == nil {
		_, err = secrets.Patch(ctx, controlPlanesLock, types.JSONPatchType, patch, metav1.PatchOptions{})
	}
	switch {
	case apierrors.IsNotFound(err), apierrors.IsInvalid(err):
		return plan.Hint(fmt.Errorf("%w: it was deleted, or taken over", errLockLost),
			"see who works on the control planes, and run the command again")
	case err != nil:
		return fmt.Errorf("refresh secret %s/%s: %w", l.named.Namespace, controlPlanesLock, err)
	}
	return nil
}

// Release gives the lock back. It has time of its own: the command may have been
// interrupted. It may be called again.
func (l *PlaneLock) Release(ctx context.Context) error {
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	secrets := l.c.Client.CoreV1().Secrets(l.named.Namespace)
	lock, err := secrets.Get(ctx, controlPlanesLock, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("get secret %s/%s: %w", l.named.Namespace, controlPlanesLock, err)
	case lock.Annotations[lockedTurn] != l.turn:
		return nil
	}
	return deleteVery(ctx, secrets, lock)
}

// ControlPlanesHeld says for what the lock on all control planes is held, and by whom;
// nothing if it is free.
func (c Cluster) ControlPlanesHeld(ctx context.Context) (string, error) {
	lock, err := c.Client.CoreV1().Secrets(c.RunNamespace()).Get(ctx, controlPlanesLock, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("get secret %s/%s: %w", c.RunNamespace(), controlPlanesLock, err)
	case lock.Annotations[lockedFor] == "":
		return "a run by " + text.Short(lock.Annotations[lockedBy], 200), nil
	}
	return heldFor(lock), nil
}

// heldBy is the refusal of a lock that a command holds by itself.
func heldBy(lock *corev1.Secret) error {
	drop := text.Command("kubectl", "-n", lock.Namespace, "delete", "secret", lock.Name)
	again := Purpose(lock.Annotations[lockedFor]).again()
	if again != "" {
		again = "; if it was interrupted, this goes on where it was: " + again
	}
	return plan.Refuse(fmt.Errorf("%w: %s", ErrBusy, heldFor(lock)),
		"wait until that has ended%s\nor, if no such command runs any more: %s", again, drop)
}

func heldFor(lock *corev1.Secret) string {
	return fmt.Sprintf("%s by %s since %s", text.Short(lock.Annotations[lockedFor], 100), text.Short(lock.Annotations[lockedBy], 200),
		text.Short(lock.Annotations[lockedSince], 40))
}
