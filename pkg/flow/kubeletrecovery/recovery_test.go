// SPDX-License-Identifier: Apache-2.0

package kubeletrecovery

import (
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
)

func recoveryOf(labels map[string]string, machine string) *Recovery {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: labels}}
	node.Status.NodeInfo.MachineID = machine
	return &Recovery{Node: node, about: join.Cluster{Endpoint: "api.example.com:6443", CA: "PEM"}}
}

func TestTheCommandsOfAWorkerAndOfAControlPlaneDiffer(t *testing.T) {
	worker := recoveryOf(nil, "0123").Script(bootstrap.Placeholder())
	plane := recoveryOf(map[string]string{"node-role.kubernetes.io/control-plane": ""}, "0123").Script(bootstrap.Placeholder())
	if !strings.Contains(worker, "server=https://api.example.com:6443") || strings.Contains(worker, "sed -n") {
		t.Errorf("a worker asks the endpoint:\n%s", worker)
	}
	if !strings.Contains(plane, "sed -n") || strings.Contains(plane, "api.example.com") {
		t.Errorf("a control plane asks what it has asked:\n%s", plane)
	}
	for _, script := range []string{worker, plane} {
		check := exec.Command("sh", "-n")
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		for _, text := range []string{"token: xxxxxx.xxxxxxxxxxxxxxxx", "umask 077", "rm bootstrap-kubelet.conf", `" = 0123 ]`} {
			if !strings.Contains(script, text) {
				t.Errorf("%q is missing:\n%s", text, script)
			}
		}
	}
}

// A node writes its machine-id itself.
func TestWhatANodeSaysOfItselfIsNoCommand(t *testing.T) {
	script := recoveryOf(nil, `$(touch /tmp/x)'; rm -rf /`).Script(bootstrap.Placeholder())
	if !strings.Contains(script, `= '$(touch /tmp/x)'\''; rm -rf /' ]`) {
		t.Errorf("%s", script)
	}
}
