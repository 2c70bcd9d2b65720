// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"strings"
	"testing"
)

// TestAHoldFollowsFromWhatIsThere: a run may be killed after any of its steps, and the next one
// finds nothing new.
func TestAHoldFollowsFromWhatIsThere(t *testing.T) {
	const three = "kubeadm=1.36.3-1.1 kubectl=1.36.3-1.1 kubelet=1.36.3-1.1"
	for name, c := range map[string]struct{ come, there, brought, held, want string }{
		"all come":                                      {three + " socat=1", "", "", "", "kubeadm kubectl kubelet"},
		"killed before the hold":                        {"", three + " socat=1", three + " socat=1", "", "kubeadm kubectl kubelet"},
		"killed when one of them was whole":             {"kubeadm=1.36.3-1.1", "kubelet=1.36.3-1.1", three, "", "kubeadm kubelet"},
		"killed in the middle of the hold":              {"", three, three, "kubelet", "kubeadm kubectl"},
		"all are held":                                  {"", three, three, "kubeadm kubectl kubelet", ""},
		"a person has installed them":                   {"", three, "", "", ""},
		"a person has upgraded one of them since":       {"", "kubelet=1.36.4-1.1", three, "", ""},
		"the kubelet is a person's, and kubeadm is not": {"", three, "kubeadm=1.36.3-1.1", "", "kubeadm"},
	} {
		if got := strings.Join(ToHold(Parse(c.come), Parse(c.there), Parse(c.brought), strings.Fields(c.held)), " "); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}
