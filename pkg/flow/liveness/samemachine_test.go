// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
)

func TestAMachineIsKnownUnderAnotherNameByTwoSigns(t *testing.T) {
	old := flowtest.Hardware("old", "m s b ", "192.0.2.7", "2001:db8::7")
	for name, tc := range map[string]struct {
		other corev1.Node
		same  bool
	}{
		"renamed and rebooted":                               {flowtest.Hardware("new", "m s b2 ", "192.0.2.7"), true},
		"renamed, with another address":                      {flowtest.Hardware("new", "m s b ", "192.0.2.9"), true},
		"installed anew at the same address":                 {flowtest.Hardware("new", "m2 s b2 ", "192.0.2.7"), true},
		"a clone of its disk":                                {flowtest.Hardware("new", "m s2 b2 ", "192.0.2.8"), false},
		"a clone of its disk, of a board with a copied UUID": {flowtest.Hardware("new", "m s b2 ", "192.0.2.8"), false},
		"another machine that was given its address":         {flowtest.Hardware("new", "m2 s2 b2 ", "192.0.2.7"), false},
		"a container of the same host":                       {flowtest.Hardware("new", "m2 s b ", "192.0.2.8"), false},
		"nothing is known of either":                         {flowtest.Hardware("new", "   "), false},
		"the same address of the other family":               {flowtest.Hardware("new", "m   ", "2001:db8::7"), true},
		"itself":                                             {flowtest.Hardware("old", "m s b ", "192.0.2.7"), false},
		"an address that is not the internal one is not a sign": {corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "new"},
			Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{MachineID: "m"},
				Addresses: []corev1.NodeAddress{{Type: corev1.NodeExternalIP, Address: "192.0.2.7"}}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			twins := sameMachine(&old, []corev1.Node{old, tc.other})
			if (len(twins) == 1) != tc.same {
				t.Errorf("twins %+v", twins)
			}
		})
	}
	aws1, aws2 := flowtest.Hardware("a", "m s b aws:///i-1", "192.0.2.7"), flowtest.Hardware("b", "m s b aws:///i-2", "192.0.2.7")
	if twins := sameMachine(&aws1, []corev1.Node{aws2}); len(twins) > 0 {
		t.Error("two machines of a provider are one")
	}
	aws2.Spec.ProviderID, aws2.Status.Addresses = "aws:///i-1", nil
	if twins := sameMachine(&aws1, []corev1.Node{aws2}); len(twins) != 1 || !strings.Contains(twins[0].signs[0], "aws:///i-1") {
		t.Error("one machine of a provider is two")
	}
}

func FuzzTheNameOfAKubelet(f *testing.F) {
	for _, seed := range []string{`{"node":{"nodeName":"w1"},"pods":[]}`, `{"node":{"nodeName":"a b"}}`, `{"pods":[]}`, `[`, `{"node":7}`, "",
		strings.Repeat(`{"node":`, 20000)} {
		f.Add(200, seed)
	}
	f.Fuzz(func(t *testing.T, code int, body string) {
		name := nodeNameIn(reply{code: code, body: body})
		if strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-.", r) }) ||
			len(name) > 253 {
			t.Errorf("name %q", name)
		}
		proof, said := reply{code: code, body: body}.weigh()
		if strings.ContainsAny(said, "\x1b\n\r\u009b") || len(said) > 2000 || proof == silence &&
			!strings.Contains(body, "error trying to reach service") {
			t.Errorf("proof %d, %q", proof, said)
		}
	})
}
