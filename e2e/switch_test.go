// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// calm are three pods under a budget of two that never say they are not Ready, so that
// nothing but an eviction ends them.
const calm = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: calm, namespace: %[1]s}
spec: {minAvailable: 2, selector: {matchLabels: {app: calm}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: calm, namespace: %[1]s}
spec:
  replicas: 3
  selector: {matchLabels: {app: calm}}
  template:
    metadata: {labels: {app: calm}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - {name: main, image: %[2]q, imagePullPolicy: Never, args: [netexec, --http-port=8080]}
`

// stageSwitch: flannel gives way to flannel with another backend, which a running one does
// not change (flannel, "Backends"). The command is killed between two hosts, and run again.
func (b *bed) stageSwitch(t *testing.T) {
	b.withNetwork(t)
	b.switches(t, journeyOfNetworks{from: "flannel", to: append([]string{"cni", "switch"}, b.cniInstall()[2:]...), other: "cilium"})
	b.networkWorks(t)
	for _, node := range []string{b.controlPlane, b.worker, b.worker2} {
		if out, err := b.tryHost(t, node, "ip -br link show flannel.1 && ip route | grep -c 'via.*dev flannel.1'"); err != nil ||
			!strings.HasSuffix(strings.TrimSpace(out), "2") {
			t.Errorf("host %s has not the new backend: %s, %v", node, out, err)
		}
	}
}

// journeyOfNetworks is a switch: the command, which takes away the network from, and the
// name of a network to which another command would switch.
type journeyOfNetworks struct {
	from, other string
	to          []string
}

// switches switches the network, kills the command between two hosts, and runs it again.
func (b *bed) switches(t *testing.T, j journeyOfNetworks) outcome {
	t.Helper()
	b.namespace(t)
	b.kubectl(t, fmt.Sprintf(calm, shop, b.image), "apply", "-f", "-")
	b.kubectl(t, "", "-n", shop, "rollout", "status", "deployment/calm", "--timeout=90s")
	b.barePod(t, "bare", b.worker, "")
	defer b.kubectl(t, "", "-n", shop, "delete", "deployment/calm", "poddisruptionbudget/calm", "pod/bare")
	old := b.uids(t, "app=calm")
	b.unchanged(t, "", func() {
		b.run(t, 0, append(j.to, "--dry-run=server")...).says(t, "Switch the network from "+j.from, "/etc/cni/net.d/")
		b.run(t, 2, j.to...).says(t, "--yes")
	})
	fewest := b.watchReady(t, shop, "app=calm")
	first := b.start(t, append(j.to, "--yes", "--max-parallel=1")...)
	eventually(t, 2*time.Minute, "one host is clean, and others are not", func() (bool, string) {
		done := b.cleanedHosts(t)
		return len(done) > 0, fmt.Sprint(done, first.err.String())
	})
	_ = first.cmd.Process.Kill()
	_ = first.wait(t)
	if done := b.cleanedHosts(t); len(done) > 2 {
		t.Errorf("it was killed too late: %v are clean", done)
	}
	b.run(t, 4, "cni", "switch", j.other).says(t, "is under way")
	o := b.must(t, append(j.to, "--yes")...)
	b.took("the rest of "+strings.Join(j.to[:3], " "), o.took)
	o.says(t, "Continue the switch", "pod "+shop+"/bare has no network")
	ready, changes := fewest()
	b.budgetHeld(t, ready, changes)
	for uid := range b.uids(t, "app=calm") {
		if old[uid] {
			t.Errorf("a pod from before has not been restarted")
		}
	}
	if done := b.cleanedHosts(t); done != nil {
		t.Errorf("the state of the switch is still there: %v", done)
	}
	return o
}

// cleanedHosts are the hosts that a switch has cleaned by its own word; nil if none is
// under way.
func (b *bed) cleanedHosts(t *testing.T) (hosts []string) {
	t.Helper()
	state, err := b.client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(t.Context(), "lifecycle-network-switch", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	hosts = []string{}
	if raw := state.Data["cleaned"]; raw != "" && raw != "null" {
		if err := json.Unmarshal([]byte(raw), &hosts); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
	}
	return hosts
}

// uids are the pods of the shop that are not going.
func (b *bed) uids(t *testing.T, selector string) map[types.UID]bool {
	t.Helper()
	pods, err := b.client.CoreV1().Pods(shop).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		t.Fatal(err)
	}
	out := map[types.UID]bool{}
	for _, p := range slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }) {
		out[p.UID] = true
	}
	return out
}
