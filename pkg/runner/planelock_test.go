// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func ofRenewal(t *testing.T, c Cluster) *PlaneLock {
	t.Helper()
	l, err := c.LockControlPlanes(t.Context(), Renewing, "alice@laptop", quiet)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A removal of any control plane, the first one of a renewal included, and giving up a dead
// one, are refused while certificates are renewed, by the same person, too.
func TestNoControlPlaneLeavesWhileCertificatesAreRenewed(t *testing.T) {
	mine, rec := recordOf("cp1", "1")
	dead := node("amd64")
	dead.Name, dead.UID = "cp1", "n1"
	c := Cluster{Client: fake.NewClientset(mine, dead)}
	l := ofRenewal(t, c)
	for name, err := range map[string]error{
		"a removal": c.holdControlPlanes(t.Context(), rec),
		"giving one up": func() error {
			_, err := c.HoldControlPlanes(t.Context(), dead, "alice@laptop")
			return err
		}(),
	} {
		if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "certificates are renewed by alice@laptop since") ||
			!strings.Contains(plan.HintOf(err), "kubectl lifecycle certs renew all") {
			t.Errorf("%s: %v, hint %q", name, err, plan.HintOf(err))
		}
	}
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.holdControlPlanes(t.Context(), rec); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// The other way round. No exception is made for a node whose run its host has died of.
func TestNoCertificateIsRenewedWhileAControlPlaneLeaves(t *testing.T) {
	mine, rec := recordOf("cp1", "1")
	there := node("amd64")
	there.Name, there.UID = "cp1", "n1"
	lost := lockOf(metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: "cp1", UID: "n1"})
	lost.Annotations = map[string]string{lockedBy: "alice@laptop"}
	for name, c := range map[string]struct {
		lock    *corev1.Secret
		refused string
	}{
		"it is removed":               {lockOf(rec.ownerRef()), "remove of node cp1"},
		"it is given up":              {lost, "node cp1 is given up by alice@laptop"},
		"what held it is gone":        {lockOf(metav1.OwnerReference{Kind: "Secret", Name: "lifecycle-cp9", UID: "9"}), ""},
		"a Secret that is not a lock": {lockOf(), "was not created by kubectl lifecycle"},
	} {
		client := fake.NewClientset(mine, there, c.lock)
		l, err := Cluster{Client: client}.LockControlPlanes(t.Context(), Renewing, "alice@laptop", quiet)
		if (err != nil) != (c.refused != "") || err != nil && (!strings.Contains(err.Error(), c.refused) || plan.ClassOf(err) != plan.Refused) {
			t.Errorf("%s: %v", name, err)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err = client.CoreV1().Secrets(DefaultNamespace).Get(t.Context(), controlPlanesLock, metav1.GetOptions{})
		if (err == nil) != (c.refused != "") {
			t.Errorf("%s: the lock afterwards: %v", name, err)
		}
	}
}

func TestTwoCommandsOfOnePersonAreNotAtWorkAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Cluster{Client: fake.NewClientset()}
		first := ofRenewal(t, c)
		ended := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { ended <- first.Keep(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }) }()
		_, err := c.LockControlPlanes(t.Context(), Renewing, "alice@laptop", quiet)
		if plan.ClassOf(err) != plan.Refused || !errors.Is(err, ErrBusy) {
			t.Errorf("%v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestTheLockOfAKilledCommandIsTakenOverAndItsWorkEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Cluster{Client: fake.NewClientset()}
		killed := ofRenewal(t, c)
		begun := time.Now()
		second := ofRenewal(t, c)
		if waited := time.Since(begun); waited < silent {
			t.Errorf("taken over after %s", waited)
		}
		err := killed.Keep(t.Context(), func(context.Context) error { t.Error("work was begun under a lost lock"); return nil })
		if !errors.Is(err, errLockLost) {
			t.Errorf("%v", err)
		}
		if err := killed.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if err := second.Keep(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Errorf("what the first gave back was the second's: %v", err)
		}
	})
}

func TestALockThatIsLostOnTheWayIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		l := ofRenewal(t, Cluster{Client: client})
		err := l.Keep(t.Context(), func(ctx context.Context) error {
			err := client.CoreV1().Secrets(DefaultNamespace).Delete(ctx, controlPlanesLock, metav1.DeleteOptions{})
			time.Sleep(2 * alive)
			return err
		})
		if !errors.Is(err, errLockLost) {
			t.Errorf("%v", err)
		}
	})
}

func TestALockIsReleasedAfterAnInterruption(t *testing.T) {
	client := fake.NewClientset()
	l := ofRenewal(t, Cluster{Client: client})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Release(ctx); err != nil {
		t.Error(err)
	}
	_, err := client.CoreV1().Secrets(DefaultNamespace).Get(t.Context(), controlPlanesLock, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("%v", err)
	}
}
