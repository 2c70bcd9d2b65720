// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func recordOf(node, uid string) (*corev1.Secret, Record) {
	s := held(wire.Remove, wire.Preparing)
	s.Name, s.UID, s.Data[wire.KeyNode] = NameFor(node), types.UID(uid), []byte(node)
	return s, Record{Namespace: s.Namespace, Name: s.Name, UID: s.UID}
}

func lockOf(owners ...metav1.OwnerReference) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: DefaultNamespace, Name: controlPlanesLock, UID: "lock",
		OwnerReferences: owners}}
}

func TestOneControlPlaneIsWorkedOnAtATime(t *testing.T) {
	mine, rec := recordOf("cp1", "1")
	other, others := recordOf("cp2", "2")
	for name, tc := range map[string]struct {
		there   []runtime.Object
		refused string
	}{
		"none is":                          {nil, ""},
		"this one is, taken up again":      {[]runtime.Object{lockOf(rec.ownerRef())}, ""},
		"another is":                       {[]runtime.Object{other, lockOf(others.ownerRef())}, "remove of node cp2 by alice@laptop"},
		"another was, and its record went": {[]runtime.Object{lockOf(others.ownerRef())}, ""},
		"another was, and has begun once more": {[]runtime.Object{other,
			lockOf(metav1.OwnerReference{Kind: "Secret", Name: others.Name, UID: "earlier"})}, ""},
		"a Secret of that name that is not a lock": {[]runtime.Object{lockOf()}, "was not created by kubectl lifecycle"},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(append(tc.there, mine)...)
			err := Cluster{Client: client}.holdControlPlanes(t.Context(), rec)
			if (err != nil) != (tc.refused != "") || err != nil && (plan.ClassOf(err) != plan.Refused ||
				!strings.Contains(err.Error(), tc.refused) || plan.HintOf(err) == "") {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
			lock, getErr := client.CoreV1().Secrets(DefaultNamespace).Get(t.Context(), controlPlanesLock, metav1.GetOptions{})
			if ours := getErr == nil && len(lock.OwnerReferences) == 1 && lock.OwnerReferences[0].UID == rec.UID; ours != (tc.refused == "") {
				t.Errorf("the lock is %+v, %v", lock, getErr)
			}
			if err := End(t.Context(), client, rec); err != nil {
				t.Error(err)
			}
			_, getErr = client.CoreV1().Secrets(DefaultNamespace).Get(t.Context(), controlPlanesLock, metav1.GetOptions{})
			if (getErr == nil) != (tc.refused != "") {
				t.Errorf("after the end: %v", getErr)
			}
		})
	}
}

// Two that have both seen that no other is worked on.
func TestOfTwoControlPlanesBegunAtTheSameMomentOneWins(t *testing.T) {
	one, first := recordOf("cp1", "1")
	two, second := recordOf("cp2", "2")
	client := fake.NewClientset(one, two)
	var group sync.WaitGroup
	errs := make([]error, 2)
	for i, rec := range []Record{first, second} {
		group.Go(func() { errs[i] = Cluster{Client: client}.holdControlPlanes(t.Context(), rec) })
	}
	group.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("%v; %v", errs[0], errs[1])
	}
}

// A control plane that is refused leaves nothing, and a worker asks for no such lock.
func TestAControlPlaneBesideAnotherIsNotBegun(t *testing.T) {
	other, others := recordOf("cp2", "2")
	for name, label := range map[string]string{"a control plane": "node-role.kubernetes.io/control-plane",
		"one of before Kubernetes 1.24": "node-role.kubernetes.io/master", "a worker": ""} {
		refused := label != ""
		client := fake.NewClientset(other, lockOf(others.ownerRef()))
		n := node("riscv64") // for which there is no program
		if refused {
			n.Labels = map[string]string{label: ""}
		}
		_, err := Begin(t.Context(), Cluster{Client: client}, Task{Node: n, Owner: Owner{Operation: wire.Remove}}, quiet)
		if err == nil || strings.Contains(err.Error(), "one at a time") != refused {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{}); err != nil || len(left.Items) != 2 {
			t.Errorf("%s: left %d, %v", name, len(left.Items), err)
		}
	}
}

// A control plane whose host is dead has no run, and the same lock.
func TestAControlPlaneThatIsGivenUpHoldsTheSameLock(t *testing.T) {
	dead := node("amd64")
	dead.Name, dead.UID = "cp1", "n1"
	own, ofOwn := recordOf("cp1", "1")
	other, others := recordOf("cp2", "2")
	lost := func(name, uid string) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: name, UID: types.UID(uid)}
	}
	alive := node("amd64")
	alive.Name, alive.UID = "cp3", "n3"
	by := func(who string) *corev1.Secret {
		lock := lockOf(lost("cp1", "n1"))
		lock.Annotations = map[string]string{lockedBy: who}
		return lock
	}
	for name, tc := range map[string]struct {
		there   []runtime.Object
		refused string
		// kept says that the lock was not taken, and so is not given back.
		kept bool
	}{
		"nothing else goes":                          {nil, "", false},
		"it is given up once more, after a kill":     {[]runtime.Object{by("alice@laptop")}, "", false},
		"another person gives it up":                 {[]runtime.Object{by("bob@desk")}, "worked on: node cp1 is given up by bob@desk", true},
		"a run was on it when its host died":         {[]runtime.Object{own, lockOf(ofOwn.ownerRef())}, "", true},
		"another is removed":                         {[]runtime.Object{other, lockOf(others.ownerRef())}, "remove of node cp2 by", true},
		"another is given up":                        {[]runtime.Object{alive, lockOf(lost("cp3", "n3"))}, "node cp3 is given up by", true},
		"another was given up, and is gone":          {[]runtime.Object{lockOf(lost("cp4", "n4"))}, "", false},
		"another was given up, and has joined again": {[]runtime.Object{alive, lockOf(lost("cp3", "n0"))}, "", false},
		"a Secret of that name that something else has": {
			[]runtime.Object{lockOf(metav1.OwnerReference{Kind: "ConfigMap"})}, "was not created", true},
		"a Secret of that name with two owners": {
			[]runtime.Object{lockOf(lost("cp1", "n1"), lost("cp3", "n3"))}, "was not created", true},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(append(tc.there, dead)...)
			release, err := Cluster{Client: client}.HoldControlPlanes(t.Context(), dead, "alice@laptop")
			if (err != nil) != (tc.refused != "") || err != nil && (plan.ClassOf(err) != plan.Refused ||
				!strings.Contains(err.Error(), tc.refused) || plan.HintOf(err) == "") {
				t.Fatalf("%v, hint %q", err, plan.HintOf(err))
			}
			if err == nil {
				err = release(t.Context())
			}
			_, left := client.CoreV1().Secrets(DefaultNamespace).Get(t.Context(), controlPlanesLock, metav1.GetOptions{})
			if tc.refused == "" && err != nil || (left == nil) != tc.kept {
				t.Errorf("%v; the lock: %v", err, left)
			}
		})
	}
}

// A second command of the same person takes the lock over: what the first gives back is
// not the second's.
func TestTwoCommandsThatGiveUpTheSameControlPlane(t *testing.T) {
	dead := node("amd64")
	dead.Name, dead.UID = "cp1", "n1"
	client := fake.NewClientset(dead)
	c := Cluster{Client: client}
	var releases []func(context.Context) error
	for range 2 {
		release, err := c.HoldControlPlanes(t.Context(), dead, "alice@laptop")
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	for i, want := range []int{1, 0} {
		if err := releases[i](t.Context()); err != nil {
			t.Error(err)
		}
		if left, err := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{}); err != nil || len(left.Items) != want {
			t.Errorf("after release %d: %d locks, want %d (%v)", i+1, len(left.Items), want, err)
		}
	}
}

// The other way round: what is given up holds up a removal.
func TestARemovalWaitsForAControlPlaneThatIsGivenUp(t *testing.T) {
	dead := node("amd64")
	dead.Name, dead.UID = "cp1", "n1"
	mine, rec := recordOf("cp2", "2")
	client := fake.NewClientset(dead, mine)
	c := Cluster{Client: client}
	release, err := c.HoldControlPlanes(t.Context(), dead, "alice@\x1b[2Jlaptop\nforged")
	if err != nil {
		t.Fatal(err)
	}
	err = c.holdControlPlanes(t.Context(), rec)
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "node cp1 is given up by alice@") ||
		strings.ContainsAny(err.Error(), "\x1b\n") || !strings.Contains(plan.HintOf(err), "kubectl lifecycle remove cp1 --node-lost") {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
	if err := release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.holdControlPlanes(t.Context(), rec); err != nil {
		t.Error(err)
	}
}
