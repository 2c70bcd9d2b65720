// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
)

// large is a cluster of so many nodes, each with an agent and ten pods.
func large(tb testing.TB, nodes int) *fake.Clientset {
	tb.Helper()
	client := fake.NewClientset(objects()...)
	add := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	for i := range nodes {
		name := fmt.Sprintf("n%04d", i)
		add(client.Tracker().Add(cnitest.Node(name, cnitest.Ready, cnitest.Old, func(n *corev1.Node) {
			n.Spec.PodCIDRs = []string{fmt.Sprintf("10.244.%d.%d/28", 16+i/16, i%16*16)}
			n.Annotations["flannel.alpha.coreos.com/public-ip"] = fmt.Sprintf("172.19.%d.%d", i/250, i%250+1)
		})))
		add(client.Tracker().Add(cnitest.Agent(name)))
		for j := range 10 {
			add(client.Tracker().Add(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", name, j), Namespace: "shop"},
				Spec: corev1.PodSpec{NodeName: name}, Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: fmt.Sprintf("10.244.%d.%d", 16+i/16,
					i%16*16+j)}}))
		}
	}
	return client
}

func TestManyNodesTakeNoMoreRequestsThanTwo(t *testing.T) {
	count := func(nodes int) int {
		client := large(t, nodes)
		if s := statusOf(t, client); !s.Works || len(s.Nodes) != nodes+2 {
			t.Fatalf("%d nodes, works %v: %v", len(s.Nodes), s.Works, s.Findings)
		}
		return len(client.Actions())
	}
	if few, many := count(0), count(200); few != many || many > 16 {
		t.Errorf("%d requests for 2 nodes, %d for 202", few, many)
	}
}

// BenchmarkStatus is the time of a status of 1,000 nodes and 10,000 pods, without
// that of the API server.
func BenchmarkStatus(b *testing.B) {
	client := large(b, 1000)
	for b.Loop() {
		in, err := Read(b.Context(), client, nil, catalogue.Signs())
		if err != nil {
			b.Fatal(err)
		}
		if s := Of(in); !s.Works {
			b.Fatal(s.Findings)
		}
	}
}
