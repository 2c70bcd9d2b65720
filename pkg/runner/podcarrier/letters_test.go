// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// A Secret of a letter's name is deleted only if a record of that name owns it, and only
// that very one.
func TestALetterIsDeletedByWhatItIsAndNotByItsName(t *testing.T) {
	owner := func(kind, name string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: "v1", Kind: kind, Name: name, UID: "earlier"}}
	}
	for name, tc := range map[string]struct {
		owners  []metav1.OwnerReference
		refused bool
	}{
		"an earlier run's":               {owner("Secret", "lifecycle-w1"), false},
		"a person's":                     {nil, true},
		"another record's":               {owner("Secret", "lifecycle-w2"), true},
		"one of an object of that name":  {owner("ConfigMap", "lifecycle-w1"), true},
		"one that two objects lay claim": {append(owner("Secret", "lifecycle-w1"), owner("Deployment", "web")...), true},
	} {
		t.Run(name, func(t *testing.T) {
			record := &wire.Ref{Namespace: "kube-system", Name: "lifecycle-w1", UID: "now"}
			there := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: deliveryName(record.Name), UID: "there",
				OwnerReferences: tc.owners}}
			client := fake.NewClientset(there)
			c := &Carrier{client: client, spec: podSpec{owner: ownerOf(record)}}
			err := c.sweepLetter(t.Context(), "kube-system", there.Name)
			if tc.refused != (plan.ClassOf(err) == plan.Refused && strings.Contains(plan.HintOf(err), "delete secret "+there.Name)) ||
				!tc.refused && err != nil {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
			deleted := 0
			for _, a := range client.Actions() {
				d, is := a.(clienttesting.DeleteActionImpl)
				if !is {
					continue
				}
				deleted++
				if p := d.DeleteOptions.Preconditions; p == nil || p.UID == nil || *p.UID != "there" {
					t.Errorf("deleted whatever its UID: %+v", d.DeleteOptions)
				}
			}
			if (deleted == 0) != tc.refused {
				t.Errorf("%d deleted", deleted)
			}
		})
	}
}
