// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// tenant is the namespace of somebody who may create pods and Secrets there.
const tenant = "e2e-tenant"

// A pod whose container is called as kube-proxy's, under the strictest standard,
// on the node; and what would be the record of a finished run in the tenant's own
// namespace.
const tenantsPod = `
apiVersion: v1
kind: Namespace
metadata: {name: e2e-tenant, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Pod
metadata: {name: aaa, namespace: e2e-tenant}
spec:
  nodeName: %[1]s
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  terminationGracePeriodSeconds: 0
  containers:
  - name: kube-proxy
    image: %[2]s
    imagePullPolicy: Never
    command: [/agnhost, pause]
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// A record that says it is of another node, and finished.
const forgedRecord = `
apiVersion: v1
kind: Secret
metadata: {name: lifecycle-%[1]s, namespace: %[3]s, labels: {lifecycle.kubectl.io/runner: remove}}
stringData: {operation: remove, node: %[2]s, phase: finished, outcome: '{"state":"clean"}'}
`

// stageImage: the privileged pod runs an image of the cluster's owner, no tenant's
// namespace holds its records, and no record is believed about another node.
func (b *bed) stageImage(t *testing.T) {
	eventually(t, time.Minute, "the tenant's pod is admitted", func() (bool, string) { // its account has to be there
		out, err := b.tryKubectl(t, fmt.Sprintf(tenantsPod, b.worker, b.image), "apply", "-f", "-")
		return err == nil, out
	})
	defer b.kubectl(t, "", "delete", "namespace", tenant)
	b.kubectl(t, "", "-n", tenant, "wait", "--for=condition=Ready", "--timeout=60s", "pod/aaa")
	o := b.must(t, "inspect", b.worker, "-o", "json")
	b.took("inspect beside a tenant's kube-proxy", o.took)
	o.says(t, "of daemonset kube-system/kube-proxy")
	if strings.Contains(o.stderr, "agnhost") {
		t.Errorf("a tenant's image runs privileged: %s", o.stderr)
	}

	b.kubectl(t, fmt.Sprintf(forgedRecord, b.worker, b.worker, tenant), "apply", "-f", "-")
	b.unchanged(t, "", func() {
		b.run(t, 4, "remove", b.worker, "--yes", "--namespace", tenant).says(t, "namespace "+tenant+" is not marked", "leave out --namespace")
	})

	b.kubectl(t, fmt.Sprintf(forgedRecord, b.worker, b.controlPlane, "kube-system"), "apply", "-f", "-")
	b.unchanged(t, "", func() {
		b.run(t, 4, "remove", b.worker, "--yes").says(t, "says that it is of node "+b.controlPlane,
			"kubectl -n kube-system delete secret lifecycle-"+b.worker)
		b.must(t, "runs").says(t, "lifecycle-"+b.worker+" is not a run record")
	})
	b.kubectl(t, "", "-n", "kube-system", "delete", "secret", "lifecycle-"+b.worker)
}
