// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"strings"
	"testing"
	"unicode"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
)

// FuzzFlannelRecords: whatever a node says of itself, its faults are bounded and
// harmless lines.
func FuzzFlannelRecords(f *testing.F) {
	f.Add("10.0.2.15", `{"VNI":1,"VtepMAC":"0a:00:00:00:00:01"}`, "vxlan")
	f.Add("\x1b[2J", `{"PublicKey":"\u001b"}`, "\n")
	f.Add("::1%eth0", `{"VNI":"x"}`, strings.Repeat("x", 5000))
	f.Fuzz(func(t *testing.T, address, data, backend string) {
		change := annotated("public-ip", address, "public-ipv6", address, "backend-data", data, "backend-v6-data", data, "backend-type", backend)
		nodes := []*corev1.Node{flannelNode("a", "172.18.0.2", change), flannelNode("b", "172.18.0.3", change),
			flannelNode("c", "172.18.0.4", annotated("backend-type", "vxlan"))}
		r := Records{Nodes: nodes, Pods: cnitest.CIDRs("10.244.0.0/16")}
		for _, g := range append(flannelFaults(r), flannelDoubts(r)...) {
			if len(g.Why) > 2<<10 || strings.IndexFunc(g.Why+g.Hint, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
				t.Errorf("it says %q", g.Why)
			}
		}
	})
}
