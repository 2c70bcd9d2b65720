// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kubectl itself asks the plugin what can be completed, once its completer is installed.
func TestKubectlCompletesTheNamesOfNodes(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 2)
	bin := t.TempDir()
	if err := os.Symlink(p.plugin, filepath.Join(bin, "kubectl-lifecycle")); err != nil {
		t.Fatal(err)
	}
	kubectl := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), p.kubectl, args...)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KUBECONFIG="+p.kubeconfig)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if out := kubectl("__complete", "lifecycle", "drain", ""); strings.Contains(out, p.nodes[0]) {
		t.Errorf("it completes without the completer: %s", out)
	}
	kubectl("lifecycle", "completion", "install")
	// The cluster has an instant to answer; a loaded one may need another.
	var out string
	for range 20 {
		if out = kubectl("__complete", "lifecycle", "drain", p.nodes[0], ""); strings.Contains(out, p.nodes[1]+"\n") {
			break
		}
	}
	if !strings.Contains(out, p.nodes[1]+"\n") || strings.Contains(out, p.nodes[0]+"\n") || !strings.HasSuffix(strings.TrimSpace(out), ":36") {
		t.Errorf("completed after %s: %q", p.nodes[0], out)
	}
	if out := kubectl("__complete", "lifecycle", "dra"); !strings.HasPrefix(out, "drain\t") {
		t.Errorf("commands: %q", out)
	}
}
