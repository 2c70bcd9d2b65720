// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// denyAttach is a policy against streaming into the runner's pods.
const denyAttach = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: e2e-policy}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CONNECT], resources: [pods/attach]}]
  validations: [{expression: "false", message: attaching is closed here}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: e2e-policy}
spec: {policyName: e2e-policy, validationActions: [Deny]}
`

// stageParcel: where nothing can be streamed into a pod, the program travels in
// Secrets, none of which is left.
func (b *bed) stageParcel(t *testing.T) {
	b.drained(t)
	before := b.names(t, b.blank)
	b.kubectl(t, denyAttach, "apply", "-f", "-")
	defer b.kubectl(t, denyAttach, "delete", "-f", "-", "--ignore-not-found")
	b.deniesAttach(t)
	b.asksInSecrets(t)
	o := b.must(t, "remove", b.blank, "--yes")
	b.took("remove, the program sent in Secrets", o.took)
	o.says(t, "cannot stream to this node", "attaching is closed here", "in Secrets")
	if left := b.kubectl(t, "", "-n", "kube-system", "get", "secrets", "-o", "name"); strings.Contains(left, "lifecycle.") {
		t.Errorf("secrets are left: %s", left)
	}
	b.kubectl(t, denyAttach, "delete", "-f", "-", "--ignore-not-found")
	b.isGone(t, before)
	b.isPristine(t, b.blank, b.pristine)
}

// deniesAttach waits until the policy works.
func (b *bed) deniesAttach(t *testing.T) {
	t.Helper()
	eventually(t, commandLimit, "the policy works", func() (bool, string) {
		o := b.start(t, "inspect", b.blank, "-o", "json").wait(t)
		return o.code == 0 && strings.Contains(o.stderr, "attaching is closed here"), o.stderr
	})
}

// asksInSecrets: a look comes back from there, too, and leaves nothing: not what
// travelled, and no account or right.
func (b *bed) asksInSecrets(t *testing.T) {
	t.Helper()
	var inventory inventory.Inventory
	o := b.must(t, "inspect", b.blank, "-o", "json")
	b.took("inspect, asked in Secrets", o.took)
	if err := json.Unmarshal([]byte(o.stdout), &inventory); err != nil || len(inventory.Ours()) == 0 || inventory.Hostname != b.blank {
		t.Errorf("%v: an inventory of %q with %d things of ours", err, inventory.Hostname, len(inventory.Ours()))
	}
	rehearsed := b.must(t, "remove", b.blank, "--dry-run=server")
	rehearsed.says(t, "sending the program in Secrets", "the answer comes in secret kube-system/")
	left := b.kubectl(t, "", "-n", "kube-system", "get", "secrets,serviceaccounts,roles,rolebindings,pods", "-o", "name")
	for line := range strings.Lines(left) {
		if strings.Contains(line, "/lifecycle") {
			t.Errorf("left: %s", line)
		}
	}
	if b.node(t, b.blank) == nil {
		t.Error("the Node is gone")
	}
}
