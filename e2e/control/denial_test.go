// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"context"
	"fmt"
	"strings"
	"testing"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Who denies a write is read from what a real API server says.

const (
	aboutEvictions = `operations: [CREATE], resources: [pods/eviction]`
	aboutNodes     = `operations: [UPDATE], resources: [nodes]`
	mayNotCordon   = `!(has(object.spec.unschedulable) && object.spec.unschedulable)`
)

// policy denies something in the namespace, or on the nodes, of the test.
func (p *plane) policy(t *testing.T, about, expression, more string) {
	t.Helper()
	scope := fmt.Sprintf(`namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}`, p.space)
	if about == aboutNodes {
		scope = fmt.Sprintf(`objectSelector: {matchLabels: {test: %s}}`, p.space)
	}
	p.apply(t, fmt.Sprintf(`apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  failurePolicy: Fail
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], %[2]s}]}
  validations: [{expression: %[3]q, message: ask team web first%[4]s}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec: {policyName: %[1]s, validationActions: [Deny], matchResources: {%[5]s}}
`, p.space, about, expression, more, scope))
	t.Cleanup(func() {
		p.theirs(t, "delete", "validatingadmissionpolicy/"+p.space, "validatingadmissionpolicybinding/"+p.space, "--ignore-not-found")
	})
	p.until(t, "the policy is in force", func(ctx context.Context) (bool, error) {
		return p.denies(ctx, about,
			"ValidatingAdmissionPolicy"), nil
	})
}

// webhook is asked about something, and its service does not exist.
func (p *plane) webhook(t *testing.T, about string) {
	t.Helper()
	scope := "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: " + p.space + "}}"
	if about == aboutNodes {
		scope = "objectSelector: {matchLabels: {test: " + p.space + "}}"
	}
	p.apply(t, fmt.Sprintf(`apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: %[1]s}
webhooks:
- name: guard.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  clientConfig: {service: {namespace: %[1]s, name: gone, path: /}}
  %[3]s
  rules: [{apiGroups: [""], apiVersions: [v1], %[2]s}]
`, p.space, about, scope))
	t.Cleanup(func() {
		p.theirs(t, "delete", "validatingwebhookconfiguration/"+p.space, "--ignore-not-found")
	})
	p.until(t, "the webhook is in force", func(ctx context.Context) (bool, error) {
		return p.denies(ctx, about,
			"failed calling webhook"), nil
	})
}

// denies asks as a dry run whether something is denied, and in which words.
func (p *plane) denies(ctx context.Context, about, words string) bool {
	var err error
	if about == aboutNodes {
		_, err = p.client.CoreV1().Nodes().Patch(ctx, p.nodes[0], types.MergePatchType, []byte(`{"spec":{"unschedulable":true}}`),
			metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	} else {
		pods, listed := p.client.CoreV1().Pods(p.space).List(ctx, metav1.ListOptions{Limit: 1})
		if listed != nil || len(pods.Items) == 0 {
			return false
		}
		err = p.client.PolicyV1().Evictions(p.space).Evict(ctx, &policyv1.Eviction{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.space,
				Name: pods.Items[0].Name}, DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}},
		})
	}
	return err != nil && strings.Contains(err.Error(), words)
}

// says fails unless all of the words are said, and none about rights.
func (o outcome) says(t *testing.T, code int, words ...string) {
	t.Helper()
	if o.code != code || strings.Contains(o.all(), "ask for the verb") {
		t.Errorf("exit code %d, want %d: %s", o.code, code, o.all())
	}
	text := strings.Join(strings.Fields(o.all()), " ") // a plan is wrapped
	for _, want := range words {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said: %s", want, o.all())
		}
	}
}

func TestAPolicyThatDeniesEvictionsIsNamedAndWaitedFor(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"", ", reason: Forbidden", ", reason: RequestEntityTooLarge"} {
		t.Run(strings.TrimPrefix(reason+" default", ", reason: "), func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, 1)
			p.run(t, app{name: "web", replicas: 2})
			p.policy(t, aboutEvictions, "false", reason)
			who := fmt.Sprintf("ValidatingAdmissionPolicy %[1]s (binding %[1]s) denies it: ask team web first", p.space)
			p.ours(t, "drain", p.nodes[0], "--timeout", "5s").says(t, 5, who, "kubectl get validatingadmissionpolicy "+p.space)
			p.ours(t, "drain", p.nodes[0], "--dry-run=server").says(t, 3, who)
			p.ours(t, "drain", p.nodes[0], "--plan").says(t, 0, "may deny them")
			c := p.start(t, p.plugin, p.kubeconfig, "drain", p.nodes[0])
			p.until(t, "it is told who denies", func(context.Context) (bool, error) {
				return strings.Contains(c.err.String(), "ask team web first"), nil
			})
			p.theirs(t, "delete", "validatingadmissionpolicybinding/"+p.space)
			if o := c.end(t); o.code != 0 || len(p.on(t, p.nodes[0])) > 0 {
				t.Errorf("the freeze is over, exit code %d: %s", o.code, o.all())
			}
		})
	}
}

func TestAPolicyThatDeniesACordonIsTheReason(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	p.policy(t, aboutNodes, mayNotCordon, ", reason: Forbidden")
	who := fmt.Sprintf("ValidatingAdmissionPolicy %[1]s (binding %[1]s) denies it: ask team web first", p.space)
	for _, verb := range []string{"cordon", "drain"} {
		p.ours(t, verb, p.nodes[0]).says(t, 4, who, "the policy decides")
	}
	if p.cordoned(t, p.nodes[0]) {
		t.Error("it is cordoned")
	}
}

func TestAWebhookThatIsDownIsNamed(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	p.run(t, app{name: "web", replicas: 1})
	p.webhook(t, aboutEvictions)
	who := fmt.Sprintf("webhook guard.example.com (service %[1]s/gone) of validatingwebhookconfiguration %[1]s cannot be asked", p.space)
	p.ours(t, "drain", p.nodes[0], "--timeout", "6s").says(t, 5, who, "bring the pods of its service back")
	p.ours(t, "drain", p.nodes[0], "--plan").says(t, 0, "service "+p.space+"/gone has no ready endpoint")
	p.theirs(t, "delete", "validatingwebhookconfiguration/"+p.space)
	p.theirs(t, "uncordon", p.nodes[0])
	p.webhook(t, aboutNodes)
	p.ours(t, "cordon", p.nodes[0]).says(t, 4, who)
}

func TestATolerationWithoutAnOperatorIsSeen(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	web := app{name: "web", replicas: 1, extra: "tolerations: [{key: node.kubernetes.io/unschedulable, effect: NoSchedule}]"}
	p.run(t, web)
	p.ours(t, "drain", p.nodes[0], "--dry-run").says(t, 0, "tolerate the cordon")
	p.ours(t, "drain", p.nodes[0]).says(t, 0, "was recreated on the cordoned node", "it tolerates the taint of a cordon")
	other := withNode(t, p)
	other.run(t, app{name: "other", replicas: 1, extra: "tolerations: [{operator: Exists, effect: NoExecute}]"})
	if o := other.ours(t, "drain", other.nodes[0], "--dry-run"); strings.Contains(o.all(), "tolerate the cordon") {
		t.Errorf("a toleration of NoExecute is taken for one of a cordon: %s", o.all())
	}
}

// withNode is the same plane with a fresh node, which is its only one.
func withNode(t *testing.T, p *plane) *plane {
	t.Helper()
	p.addNodes(t, 1)
	other := *p
	other.nodes = p.nodes[len(p.nodes)-1:]
	return &other
}

func TestAVolumeThatNobodyDetachesEndsTheWait(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	p.apply(t, fmt.Sprintf(`apiVersion: v1
kind: PersistentVolume
metadata: {name: %[1]s}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], csi: {driver: csi.example.com, volumeHandle: v1}}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: %[1]s, finalizers: [external-attacher/csi-example-com]}
spec: {attacher: csi.example.com, nodeName: %[2]s, source: {persistentVolumeName: %[1]s}}
`, p.space, p.nodes[0]))
	free := []byte(`{"metadata":{"finalizers":null}}`)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = p.client.StorageV1().VolumeAttachments().Patch(ctx, p.space, types.MergePatchType, free, metav1.PatchOptions{})
		p.theirs(t, "delete", "pv/"+p.space, "volumeattachment/"+p.space, "--ignore-not-found")
	})
	o := p.ours(t, "drain", p.nodes[0], "--wait-for-volumes")
	o.says(t, 1, "status.attached is not true", "there is no CSIDriver csi.example.com", "kubectl delete volumeattachment "+p.space)
	if err := p.client.StorageV1().VolumeAttachments().Delete(t.Context(), p.space, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	o = p.ours(t, "drain", p.nodes[0], "--wait-for-volumes")
	o.says(t, 1, "being deleted since", "external-attacher/csi-example-com", "kubectl patch volumeattachment "+p.space)
	if _, err := p.client.StorageV1().VolumeAttachments().Patch(t.Context(), p.space, types.MergePatchType, free,
		metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	p.ours(t, "drain", p.nodes[0], "--wait-for-volumes").says(t, 0)
}

// TestTheConditionsOfADrainAreToldAndOthersStay: one of somebody else's stays
// through all of it.
func TestTheConditionsOfADrainAreToldAndOthersStay(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	p.run(t, app{name: "web", replicas: 1})
	p.addNodes(t, 1)
	theirs := []byte(`{"status":{"conditions":[{"type":"MaintenanceInProgress","status":"True","reason":"Upgrade","message":"new kernel"}]}}`)
	if _, err := p.client.CoreV1().Nodes().Patch(t.Context(), p.nodes[0], types.StrategicMergePatchType, theirs, metav1.PatchOptions{},
		"status"); err != nil {
		t.Fatal(err)
	}
	conditions := func() string {
		node, err := p.client.CoreV1().Nodes().Get(t.Context(), p.nodes[0], metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, c := range node.Status.Conditions {
			if strings.Contains(string(c.Type), "Drain") || strings.Contains(string(c.Type), "Maintenance") {
				out += fmt.Sprintf("%s=%s ", c.Type, c.Status)
			}
		}
		return out
	}
	p.ours(t, "drain", p.nodes[0]).says(t, 0,
		"another tool says that it works on node "+p.nodes[0]+": MaintenanceInProgress (Upgrade: new kernel)")
	for _, want := range []string{"DrainInProgress=False", "Drained=True", "MaintenanceInProgress=True"} {
		if got := conditions(); !strings.Contains(got, want) {
			t.Errorf("%s: %s", want, got)
		}
	}
	p.ours(t, "uncordon", p.nodes[0]).says(t, 0)
	if got := conditions(); got != "MaintenanceInProgress=True " {
		t.Errorf("after uncordon: %s", got)
	}
}
