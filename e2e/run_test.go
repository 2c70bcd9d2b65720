// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// commandOutcomes is what "run -o json" prints.
type commandOutcomes struct {
	Items []struct {
		Node     string `json:"node"`
		State    string `json:"state"`
		ExitCode *int   `json:"exitCode"`
		Output   string `json:"output"`
		Cordoned bool   `json:"cordoned"`
	} `json:"items"`
}

// stageRun: a command runs on drained hosts within budgets, goes on while it restarts the
// container runtime under the pod that brought it, and leaves nothing; where it fails the
// node stays cordoned and the other wave is not begun.
func (b *bed) stageRun(t *testing.T) {
	if os.Getenv("E2E_FULL") != "yes" {
		t.Skip("slow: E2E_FULL=yes runs it")
	}
	b.joined(t)
	b.deployWeb(t, b.blank)
	before := b.names(t, b.blank)
	fewest := b.watchReady(t, shop, "app=web")
	o := b.must(t, "run", b.blank, "--", "sh", "-c", "systemctl restart containerd && hostname && echo $HOME$KUBECONFIG")
	b.took("run of a command that restarts the container runtime, drained", o.took)
	if o.stdout != b.blank+"\n/root\n" {
		t.Errorf("stdout %q", o.stdout)
	}
	least, changes := fewest()
	b.budgetHeld(t, least, changes)
	if b.node(t, b.blank).Spec.Unschedulable {
		t.Error("the node is still cordoned")
	}

	o = b.run(t, 1, "run", b.blank, b.worker, "--no-drain", "-o", "json", "--", "sh", "-c", "echo out of $(hostname); exit 7")
	var outcomes commandOutcomes
	if err := json.Unmarshal([]byte(o.stdout), &outcomes); err != nil || len(outcomes.Items) != 2 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	failed, left := outcomes.Items[0], outcomes.Items[1]
	if failed.State != "failed" || failed.ExitCode == nil || *failed.ExitCode != 7 || !strings.HasPrefix(failed.Output, "out of ") ||
		left.State != "not begun" || left.ExitCode != nil {
		t.Errorf("%+v", outcomes)
	}

	b.run(t, 1, "run", b.blank, "--", "false").says(t, "exit code 1", "still cordoned", "kubectl lifecycle uncordon "+b.blank)
	if !b.node(t, b.blank).Spec.Unschedulable {
		t.Error("a node on which the command failed was uncordoned")
	}
	b.kubectl(t, "", "uncordon", b.blank)
	b.run(t, 4, "run", "no-such-node", "--", "true").says(t, "no-such-node")
	b.run(t, 2, "run", b.blank).says(t, "say which command after --")
	b.must(t, "run", b.blank, "--dry-run=client", "--", "touch", "/run/e2e-run")

	remains := b.host(t, b.blank, `ls -d /run/kubectl-lifecycle* /run/e2e-run 2>/dev/null || true
systemctl list-units --all --plain --no-legend 'kubectl-lifecycle*'`)
	if strings.TrimSpace(remains) != "" {
		t.Errorf("left on the host: %s", remains)
	}
	for _, name := range before.changed(b.names(t, b.blank)) {
		if strings.Contains(name, "lifecycle") {
			t.Errorf("left on the host: %s", name)
		}
	}
}
