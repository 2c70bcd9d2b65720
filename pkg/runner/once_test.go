// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// A node may be called w-look, so that its record has the name of a look at w.
func TestALookReplacesWhatAnotherLeftAndNothingElse(t *testing.T) {
	const name = "lifecycle-w-look"
	there := func(operation, node string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace, UID: "old", Labels: map[string]string{Label: operation}},
			Data: map[string][]byte{
				wire.KeyOperation: []byte(operation), wire.KeyNode: []byte(node), wire.KeyPhase: []byte(wire.Preparing),
				wire.KeySince: []byte("2026-01-02T03:04:05Z"),
			},
		}
	}
	for _, tc := range []struct {
		name    string
		old     *corev1.Secret
		refused bool
		listed  int
	}{
		{"an earlier look's", there("inspect", "w"), false, 0},
		{"the record of a node with that name", there("remove", "w-look"), true, 1},
		{"a look at another node", there("inspect", "w-look"), true, 1},
		{"nobody's that is known", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace}}, true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := fake.NewClientset(tc.old)
			c := Cluster{Client: client}
			all, err := List(t.Context(), c)
			if err != nil || len(all) != tc.listed {
				t.Errorf("listed %v, %v; want %d runs", all, err, tc.listed)
			}
			rec, err := c.answerRecord(t.Context(), Owner{Operation: wire.Inspect, Node: "w"})
			if (err != nil) != tc.refused || tc.refused && plan.HintOf(err) == "" {
				t.Fatalf("got %v", err)
			}
			got, err := client.CoreV1().Secrets(DefaultNamespace).Get(t.Context(), name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if replaced := got.UID != "old"; tc.old.UID == "old" && replaced == tc.refused {
				t.Errorf("replaced: %v", replaced)
			}
			if !tc.refused && rec.UID != got.UID {
				t.Errorf("the record is %q, the Secret %q", rec.UID, got.UID)
			}
		})
	}
}

func TestWhereNeitherWayIsOpenBothAreNamed(t *testing.T) {
	forbidden := apierrors.NewForbidden(corev1.Resource("secrets"), "lifecycle-w-look", errors.New("you may not"))
	err := neither(fmt.Errorf("%w to pod x: denied", podcarrier.ErrNoStream), fmt.Errorf("create secret: %w", forbidden))
	if plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), "denied") ||
		!strings.Contains(err.Error(), "you may not") {
		t.Errorf("got %v, hint %q", err, plan.HintOf(err))
	}
}

func TestAQuestionWithASecretDoesNotTravelInSecrets(t *testing.T) {
	streamed := fmt.Errorf("%w to pod x: denied", podcarrier.ErrNoStream)
	err := Question{Operation: wire.ShareCertificates, StreamOnly: true}.mayTravel(streamed)
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "pods/attach") || !errors.Is(err, podcarrier.ErrNoStream) {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
	if err := (Question{Operation: wire.Inspect}).mayTravel(streamed); err != nil {
		t.Errorf("one without: %v", err)
	}
}
