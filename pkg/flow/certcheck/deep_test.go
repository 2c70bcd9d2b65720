// SPDX-License-Identifier: Apache-2.0

package certcheck

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestWhichHostsAreAsked(t *testing.T) {
	worker := flowtest.ControlPlane("w1", "192.0.2.9", true)
	worker.Labels = nil
	cp := flowtest.ControlPlane("cp1", "192.0.2.1", true)
	for name, c := range map[string]struct {
		nodes []corev1.Node
		all   bool
		want  string
	}{
		"control planes":        {[]corev1.Node{worker, cp}, false, "cp1"},
		"all":                   {[]corev1.Node{worker, cp}, true, "cp1 w1"},
		"none is shown":         {[]corev1.Node{worker}, false, ""},
		"workers of a provider": {[]corev1.Node{worker}, true, "w1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Choose(c.nodes, c.all)
			var names []string
			for _, n := range got {
				names = append(names, n.Name)
			}
			if strings.Join(names, " ") != c.want || (plan.ClassOf(err) == plan.Refused) != (c.want == "") {
				t.Errorf("%q, %v", names, err)
			}
		})
	}
}

func TestWhatHostsSayIsPutBesideWhatTheAPITold(t *testing.T) {
	ends := time.Now().Add(1000 * time.Hour)
	row := func(node, name, by string) certs.Row {
		return certs.Row{Node: node, Name: name, ManagedBy: by, Expires: &ends}
	}
	cp1, cp2 := flowtest.ControlPlane("cp1", "192.0.2.1", true), flowtest.ControlPlane("cp2", "192.0.2.2", true)
	nodes := []corev1.Node{cp1, cp2}
	f := Found{Nodes: nodes, Result: certs.Result{
		Rows: []certs.Row{row("", "ca", "-"), row("cp1", presentedName, "kubeadm"), row("cp1", "kubelet-client", "kubelet"),
			row("cp2", "kubelet-client", "kubelet")},
		Unseen: []certs.Unseen{{What: servingOfKubelets + "cp1, cp2"}},
	}}
	silent := row("cp1", "etcd-peer", "kubeadm")
	silent.Served = &certs.Served{At: "192.0.2.1:2380", Why: "refused"}
	look := certs.Look{Node: "cp1", ServiceAccountKey: "a", Rows: []certs.Row{row("cp1", "apiserver", "kubeadm"), silent}}
	f.add(kube.Pointers(nodes), []certs.Look{look, {}}, []error{nil, errors.New("no image")})
	if got := lines(f); !slices.Equal(got, []string{"ca ok -", "cp1 apiserver ok kubeadm", "cp1 etcd-peer ok kubeadm",
		"cp2 kubelet-client ok kubelet"}) {
		t.Errorf("%q", got)
	}
	var unseen []string
	for _, u := range f.Unseen {
		unseen = append(unseen, u.What)
	}
	if !slices.Equal(unseen, []string{servingOfKubelets + "cp1, cp2", "what serves etcd-peer on cp1 (192.0.2.1:2380)", "the host of cp2"}) {
		t.Errorf("%q", unseen)
	}
}
