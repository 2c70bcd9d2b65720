// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/screentest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
)

var update = flag.Bool("update", false, "write the golden files of screens")

// TestScreensOfTheWholeProgram has the overview, and what is said where there is no cluster, or the words of a command are wrong.
func TestScreensOfTheWholeProgram(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("HOME", "/root") // the default of a flag is below it
	closed := nowhere(t)
	screens := []screentest.Screen{
		screen("options", nil, "options"), screen("version", nil, "version"),
		screen("wrong-command", nil, "drian"), screen("wrong-flag", nil, "drain", "w1", "--frobnicate"),
		screen("wrong-arguments", nil, "inspect"), screen("wrong-format", nil, "runs", "-o", "xml"),
		screen("wrong-dry-run", nil, "remove", "w1", "--dry-run=maybe"),
		screen("help", nil, "--help"), screen("help-drain", nil, "drain", "--help"), screen("help-remove", nil, "remove", "--help"),
		screen("help-run", nil, "help", "run"), screen("help-join", nil, "join", "--help"), screen("help-init", nil, "init", "--help"),
		screen("help-cni", nil, "cni"), screen("help-cni-switch", nil, "cni", "switch", "--help"), screen("help-certs", nil, "certs"),
		screen("help-upgrade", nil, "upgrade"), screen("help-unknown", nil, "help", "drian"),
		screen("no-kubeconfig", nil, "doctor"), screen("no-server", nil, "drain", "w1", "--kubeconfig", closed),
		screen("overview-without-cluster", nil),
		screen("overview-new", fake.NewClientset(overviewNode("cp1", true, "cni plugin not initialized"))),
		screen("overview-cordoned", fake.NewClientset(overviewNode("cp1", true, ""), overviewNode("worker-1", false, ""),
			cordoned(overviewNode("worker-2", false, "")))),
	}
	screentest.Compare(t, *update, screens)
}

// screen is that of a command line; without a client there is no cluster.
func screen(name string, client kubernetes.Interface, args ...string) screentest.Screen {
	return screentest.Screen{Name: name, Show: func(t *testing.T, e *env.Env) error {
		t.Helper()
		if client != nil {
			e.Client = func() (kubernetes.Interface, error) { return client, nil }
			e.Config = func() (*rest.Config, error) { return &rest.Config{}, nil }
		}
		return execute(t.Context(), e, append([]string{}, args...)) // none are not the test's own
	}}
}

// overviewNode is a node that is Ready, unless a message says why not.
func overviewNode(name string, controlPlane bool, message string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	if controlPlane {
		n.Labels["node-role.kubernetes.io/control-plane"] = ""
	}
	ready := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue}
	if message != "" {
		ready.Status, ready.Message = corev1.ConditionFalse, message
	}
	n.Status.Conditions = []corev1.NodeCondition{ready}
	return n
}

// cordoned is a node that this plugin has cordoned.
func cordoned(n *corev1.Node) *corev1.Node {
	n.Spec.Unschedulable = true
	n.Annotations = map[string]string{drain.NoteAnnotation: `{"by":"ann@laptop","at":"2026-01-02T03:04:05Z","reason":"new disks"}`}
	return n
}
