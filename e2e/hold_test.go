// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stageRefusals are the nodes, clusters and persons that a removal refuses,
// each before anything is drained.
func (b *bed) stageRefusals(t *testing.T) {
	b.joined(t)
	remove := []string{"remove", b.worker2, "--yes"}
	t.Run("another run holds the node", b.refusesHeld)
	t.Run("permissions", b.refusesPersons)
	t.Run("a node of another kind", b.refusesOtherKinds)
	t.Run("a policy that refuses the runner", func(t *testing.T) {
		b.withPolicy(t, denyRunner)
		b.refuses(t, b.worker2,
			refusal{"remove", remove, 4, []string{"no runners here"}, nil},
			refusal{"inspect", []string{"inspect", b.worker2}, 4, []string{"no runners here"}, nil})
	})
	t.Run("a policy that rewrites the runner", func(t *testing.T) {
		if out, _ := b.tryKubectl(t, "", "get", "mutatingadmissionpolicies.v1.admissionregistration.k8s.io", "-o", "name"); out != "" {
			t.Fatalf("policies of somebody else: %s", out)
		}
		_, err := b.tryKubectl(t, "", "explain", "mutatingadmissionpolicies", "--api-version=admissionregistration.k8s.io/v1")
		if err != nil {
			t.Skip("this version does not serve MutatingAdmissionPolicies: pkg/runner's unit tests cover it")
		}
		b.withPolicy(t, rewriteRunner)
		b.refuses(t, b.worker2, refusal{"remove", remove, 4, []string{"imagePullPolicy"}, nil})
	})
	t.Run("a node that is full", b.refusesFull)
	if b.node(t, b.worker2).Spec.Unschedulable {
		t.Error("a removal that was refused has cordoned the node")
	}
}

// refusesHeld: the record of another operation is the lock.
func (b *bed) refusesHeld(t *testing.T) {
	name := "lifecycle-" + b.worker2
	b.kubectl(t, fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: %s, namespace: kube-system, labels: {%s: upgrade}}
stringData: {operation: upgrade, node: %s, who: alice@laptop, since: "2026-01-02T03:04:05Z", phase: working}
`, name, runnerLabel, b.worker2), "apply", "-f", "-")
	defer b.kubectl(t, "", "-n", "kube-system", "delete", "secret", name)
	says := []string{"upgrade", "alice@laptop", "2026-01-02", "kubectl lifecycle runs abort " + b.worker2}
	b.refuses(t, b.worker2,
		refusal{"remove", []string{"remove", b.worker2, "--yes"}, 4, says, nil},
		refusal{"inspect", []string{"inspect", b.worker2}, 4, says, nil})
}

// refusesPersons: what somebody may not do is named by verb and resource.
func (b *bed) refusesPersons(t *testing.T) {
	const nobody, half = "--as=e2e-nobody", "--as=e2e-half"
	b.kubectl(t, "", "create", "clusterrole", "e2e-half", "--verb=get,list,watch",
		"--resource=nodes,pods,configmaps,daemonsets.apps,poddisruptionbudgets.policy")
	defer b.kubectl(t, "", "delete", "clusterrole/e2e-half", "clusterrolebinding/e2e-half", "--ignore-not-found")
	b.kubectl(t, "", "create", "clusterrolebinding", "e2e-half", "--clusterrole=e2e-half", "--user=e2e-half")
	eventually(t, 20*time.Second, "the role works", func() (bool, string) {
		out, err := b.tryKubectl(t, "", "auth", "can-i", "list", "pods", "-A", half)
		return err == nil, out
	})
	b.refuses(t, "",
		refusal{"remove by nobody", []string{"remove", b.worker2, "--yes", nobody}, 4, []string{"get", "nodes", "e2e-nobody"}, nil},
		refusal{"inspect by nobody", []string{"inspect", b.worker2, nobody}, 4, []string{"get", "nodes", "e2e-nobody"}, nil},
		refusal{"drain by nobody", []string{"drain", b.worker2, nobody}, 4, []string{"nodes", "e2e-nobody"}, nil},
		refusal{"join by nobody", []string{"join", nobody}, 4, []string{"get", "configmaps", "kube-public"}, nil},
		refusal{"join by somebody who may only read", []string{"join", half}, 4, []string{"secrets", "kube-system"}, nil},
		refusal{"cni install by nobody", b.cniInstall(nobody), 4, []string{"e2e-nobody"}, nil},
		refusal{"remove by somebody who may only read", []string{"remove", b.worker2, "--yes", half}, 4,
			[]string{"create pods in namespace kube-system", "create secrets in namespace kube-system", "create pods/eviction", "delete nodes",
				"patch nodes"}, nil},
		refusal{"inspect by somebody who may only read", []string{"inspect", b.worker2, half}, 4,
			[]string{"create pods/attach in namespace kube-system"}, nil},
		refusal{"drain by somebody who may only read", []string{"drain", b.worker2, "--ignore-daemonsets", half}, 4,
			[]string{"patch", "nodes"}, nil},
	)
}

// refusesOtherKinds: nodes that kubeadm did not make, by the name of what did.
// They are Node objects only; no label gives them pods of DaemonSets.
func (b *bed) refusesOtherKinds(t *testing.T) {
	for kind, info := range otherKinds() {
		name := "e2e-" + strings.ToLower(kind)
		b.kubectl(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":%q},"spec":{"unschedulable":true}}`, name),
			"apply", "-f", "-")
		defer b.kubectl(t, "", "delete", "node", name)
		b.kubectl(t, "", "patch", "node", name, "--subresource=status", "--type=merge", "-p", `{"status":{"nodeInfo":`+info+`}}`)
		o := b.run(t, 4, "remove", name, "--yes")
		o.says(t, kind, name, "use the tool that made this one")
	}
	b.run(t, 4, "inspect", "e2e-k3s").says(t, "k3s", "use the tool that made this one")
}

// otherKinds are what the kubelets of nodes report that kubeadm did not make.
func otherKinds() map[string]string {
	return map[string]string{
		"k3s":     `{"kubeletVersion":"v1.36.1+k3s1","operatingSystem":"linux"}`,
		"RKE2":    `{"kubeletVersion":"v1.36.1+rke2r1","operatingSystem":"linux"}`,
		"EKS":     `{"kubeletVersion":"v1.36.1-eks-abcdef","operatingSystem":"linux"}`,
		"Talos":   `{"kubeletVersion":"v1.36.1","operatingSystem":"linux","osImage":"Talos (v1.11.0)"}`,
		"Windows": `{"kubeletVersion":"v1.36.1","operatingSystem":"windows","osImage":"Windows Server 2025"}`,
	}
}

// denyRunner and rewriteRunner are policies for the runner's pods.
const (
	denyRunner = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: e2e-policy}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  matchConditions: [{name: runner, expression: "'lifecycle.kubectl.io/runner' in object.metadata.?labels.orValue({})"}]
  validations: [{expression: "false", message: no runners here}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: e2e-policy}
spec: {policyName: e2e-policy, validationActions: [Deny]}
`
	rewriteRunner = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: e2e-policy}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  matchConditions: [{name: runner, expression: "'lifecycle.kubectl.io/runner' in object.metadata.?labels.orValue({})"}]
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: JSONPatch
    jsonPatch: {expression: "[JSONPatch{op: 'replace', path: '/spec/containers/0/imagePullPolicy', value: 'Always'}]"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: e2e-policy}
spec: {policyName: e2e-policy}
`
	probePod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"e2e-probe","labels":{"lifecycle.kubectl.io/runner":"probe"}},
"spec":{"containers":[{"name":"c","image":"x","imagePullPolicy":"Never"}]}}`
)

// withPolicy makes an admission policy, waits until it works, and deletes it
// when the test ends.
func (b *bed) withPolicy(t *testing.T, policy string) {
	t.Helper()
	probe := func() string {
		out, err := b.tryKubectl(t, probePod, "create", "--dry-run=server", "-f", "-", "-o", "jsonpath={.spec.containers[0].imagePullPolicy}")
		return fmt.Sprint(out, err)
	}
	b.kubectl(t, policy, "apply", "-f", "-")
	t.Cleanup(func() {
		b.kubectl(t, policy, "delete", "-f", "-", "--ignore-not-found")
		eventually(t, 30*time.Second, "the policy works no more", func() (bool, string) { got := probe(); return got == "Never<nil>", got })
	})
	eventually(t, 30*time.Second, "the policy works", func() (bool, string) { got := probe(); return got != "Never<nil>", got })
}

// refusesFull: a kubelet that takes no more pods is known before anything is
// drained.
func (b *bed) refusesFull(t *testing.T) {
	pods := strings.Count(b.kubectl(t, "", "get", "pods", "-A", "-o", "name", "--field-selector",
		"spec.nodeName="+b.worker2+",status.phase=Running"), "\n")
	b.host(t, b.worker2, fmt.Sprintf(`set -e
cp -p /var/lib/kubelet/config.yaml /var/lib/kubelet/config.yaml.e2e
echo "maxPods: %d" >>/var/lib/kubelet/config.yaml
systemctl restart kubelet`, pods))
	defer func() {
		b.host(t, b.worker2, "mv /var/lib/kubelet/config.yaml.e2e /var/lib/kubelet/config.yaml && systemctl restart kubelet")
		b.kubectl(t, "", "wait", "--for=jsonpath={.status.allocatable.pods}=110", "--timeout=60s", "node/"+b.worker2)
		b.kubectl(t, "", "wait", "--for=condition=Ready", "--timeout=60s", "node/"+b.worker2)
	}()
	b.kubectl(t, "", "wait", fmt.Sprintf("--for=jsonpath={.status.allocatable.pods}=%d", pods), "--timeout=60s", "node/"+b.worker2)
	b.kubectl(t, "", "wait", "--for=condition=Ready", "--timeout=60s", "node/"+b.worker2)
	says := []string{"full", fmt.Sprintf("%d of at most %d pods", pods, pods), b.worker2}
	b.refuses(t, "",
		refusal{"remove", []string{"remove", b.worker2, "--yes"}, 4, says, nil},
		refusal{"inspect", []string{"inspect", b.worker2}, 4, says, nil})
}

// stageSecrets: nothing that was said during the story holds a secret; and the
// listener was not deaf.
func (b *bed) stageSecrets(t *testing.T) {
	b.ears.hearEnd(t, b, b.controlPlane, b.worker, b.worker2, b.blank)
	for _, found := range b.ears.secrets() {
		t.Errorf("a secret was said: %s", found)
	}
	kubeconfig, err := os.ReadFile(b.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, sentence := range b.ears.deaf(map[string]string{
		"a ServiceAccount token":  b.kubectl(t, "", "-n", "kube-system", "create", "token", "default"),
		"a private key":           b.host(t, b.controlPlane, "cat /etc/kubernetes/pki/ca.key"),
		"a private key in base64": string(kubeconfig),
	}) {
		t.Errorf("the listener was deaf: %s", sentence)
	}
}

// stageNothingLeft: of all the runs nothing is left, neither in the cluster nor
// on any host, not even what the kubelet cleans up only later.
func (b *bed) stageNothingLeft(t *testing.T) {
	for _, kind := range []string{"pods", "secrets", "serviceaccounts", "roles.rbac.authorization.k8s.io",
		"rolebindings.rbac.authorization.k8s.io"} {
		if left := b.kubectl(t, "", "get", kind, "-A", "-l", runnerLabel, "-o", "name"); left != "" {
			t.Errorf("left in the cluster: %s", left)
		}
	}
	for _, name := range []string{"lifecycle-" + b.blank, "lifecycle-" + b.worker} {
		if _, err := b.client.CoreV1().Secrets("kube-system").Get(t.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("run record %s: %v", name, err)
		}
	}
	for _, host := range []string{b.controlPlane, b.worker, b.worker2, b.blank} {
		eventually(t, 2*time.Minute, "nothing of a run is left on "+host, func() (bool, string) {
			out := b.host(t, host, `find / -xdev \( -path /proc -o -path /sys -o -path /var/log/journal \) -prune -o \
  -name '*lifecycle-node*' -print -o -name '*kubectl-lifecycle*' -print
find /run /var/log/pods /var/log/containers -name '*lifecycle-lifecycle-*' 2>/dev/null
pgrep -x lifecycle-node || true`)
			return out == "", out
		})
	}
}
