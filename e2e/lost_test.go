// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stageLost: a node that lives is not given up; one whose host is dead is, with
// its pods; and when the host comes back after all, the program alone cleans it.
func (b *bed) stageLost(t *testing.T) {
	b.joined(t)
	b.deployWeb(t, b.blank)
	b.refuses(t, b.blank, refusal{"a node that lives is not given up", []string{"remove", b.blank, "--node-lost", "--yes"}, 4,
		[]string{"is not lost", "switch it off"}, nil})
	b.freeze(t)
	o := b.must(t, "remove", b.blank, "--node-lost", "--yes", "--timeout", "3m", "-o", "json")
	b.took("remove --node-lost", o.took)
	if b.node(t, b.blank) != nil {
		t.Error("the Node is still there")
	}
	pods, err := b.client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + b.blank})
	if err != nil || len(pods.Items) > 0 {
		t.Errorf("%d pods are still on it, %v", len(pods.Items), err)
	}
	o.says(t, "kubectl lifecycle node-program --arch", "./lifecycle-node clean --yes --machine-id ", " '{")
	b.thaw(t)
	b.cleansItself(t, o.stdout)
}

// freeze stops everything on the blank host at once, its kernel's answers, too, as
// a power cut does, and waits until the cluster has noticed.
func (b *bed) freeze(t *testing.T) {
	t.Helper()
	cable := b.cable(t)
	t.Cleanup(func() { setCable(t, cable, "up") })
	setCable(t, cable, "down")
	b.frozen = cable
	if _, err := command(t, hostLimit, "", "docker", "pause", b.blank); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.thaw(t) })
	eventually(t, 3*time.Minute, "the cluster has noticed", func() (bool, string) {
		for _, c := range b.node(t, b.blank).Status.Conditions {
			if c.Type == corev1.NodeReady {
				return c.Status == corev1.ConditionUnknown, c.Message
			}
		}
		return false, "no condition"
	})
}

func (b *bed) thaw(t *testing.T) {
	t.Helper()
	if b.frozen != "" {
		setCable(t, b.frozen, "up")
		b.frozen = ""
	}
	state, err := command(t, hostLimit, "", "docker", "inspect", "--format", "{{.State.Paused}}", b.blank)
	if err == nil && strings.TrimSpace(state) == "true" {
		_, err = command(t, hostLimit, "", "docker", "unpause", b.blank)
	}
	if err != nil {
		t.Error(err)
	}
}

// cleansItself runs the program on the host, as the command has told.
func (b *bed) cleansItself(t *testing.T, result string) {
	t.Helper()
	var lost struct{ Facts json.RawMessage }
	if err := json.Unmarshal([]byte(result), &lost); err != nil {
		t.Fatalf("%v: %s", err, result)
	}
	program := filepath.Join(t.TempDir(), "lifecycle-node")
	binary, err := command(t, hostLimit, "", b.plugin, "node-program")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte(binary), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, hostLimit, "", "docker", "cp", program, b.blank+":/root/lifecycle-node"); err != nil {
		t.Fatal(err)
	}
	run := "cd /root && chmod 700 lifecycle-node && ./lifecycle-node clean "
	facts := " '" + string(lost.Facts) + "'"
	shown := b.host(t, b.blank, run+facts)
	if !strings.Contains(shown, "link flannel.1") || !strings.Contains(shown, "nothing was changed") {
		t.Errorf("what would go: %s", shown)
	}
	said := b.host(t, b.blank, run+"--yes"+facts)
	if !strings.Contains(said, "this host is clean\n") || !strings.Contains(said, "backed up") {
		t.Errorf("it says: %s", said)
	}
	b.host(t, b.blank, "rm /root/lifecycle-node")
	b.kubectl(t, "", "delete", "node", b.blank, "--ignore-not-found")
	b.isPristine(t, b.blank, b.pristine)
}
