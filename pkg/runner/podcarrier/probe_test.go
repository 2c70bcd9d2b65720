// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/payload"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func probeOn(hostPort int32) *corev1.Pod {
	return podSpec{name: "lifecycle-worker-1-probe", namespace: "kube-system", operation: string(wire.ProbeNetwork), node: node("amd64"),
		program: payload.Payload{SHA256: "hash"}, mountDir: "/lifecycle-x", probe: &probing{id: "id", hostPort: hostPort}}.pod()
}

func TestAProbeHasNoPrivileges(t *testing.T) {
	pod := probeOn(29001)
	spec, c := pod.Spec, pod.Spec.Containers[0]
	if spec.HostNetwork || spec.HostPID || spec.HostIPC || spec.ServiceAccountName != "" || *spec.AutomountServiceAccountToken {
		t.Errorf("it has something of the host's, or a token: %+v", spec)
	}
	s := c.SecurityContext
	if *s.Privileged || *s.AllowPrivilegeEscalation || !*s.RunAsNonRoot || *s.RunAsUser == 0 || s.Capabilities.Drop[0] != "ALL" ||
		len(s.Capabilities.Add) > 0 {
		t.Errorf("it has privileges: %+v", s)
	}
	if c.ImagePullPolicy != corev1.PullNever || strings.Contains(strings.Join(c.Command, " "), "nsenter") {
		t.Errorf("it pulls, or enters the host: %q", c.Command)
	}
	for _, m := range c.VolumeMounts {
		if !m.ReadOnly && m.MountPath != "/etc" && m.MountPath != "/lifecycle-x/probe" {
			t.Errorf("it may write into %s", m.MountPath)
		}
	}
	if len(c.Ports) != 1 || c.Ports[0].HostPort != 29001 || len(probeOn(0).Spec.Containers[0].Ports) > 0 || pod.Labels[ProbeLabel] != "id" {
		t.Errorf("ports %v, labels %v", c.Ports, pod.Labels)
	}
	if got := probeOn(0); len(rewritten(probeOn(0), got)) > 0 {
		t.Error("a pod as it was sent is taken for one that was rewritten")
	}
}

func TestOnlyAnswersOfAProbeAreBelieved(t *testing.T) {
	first, second := make(chan wire.ProbeResult, 1), make(chan wire.ProbeResult, 1)
	p := &Probe{answer: map[int]chan wire.ProbeResult{1: first, 2: second}, hello: make(chan wire.ProbeHello, 1)}
	p.listen(strings.NewReader("noise\n" + wire.ProbePrefix + "{\n" + wire.ProbePrefix + `{"hello":{"mtu":1450}}` + "\n" +
		wire.ProbePrefix + `{"hello":{"mtu":9}}` + "\n" + wire.ProbePrefix + `{"id":7}` + "\n" +
		wire.ProbePrefix + `{"id":1,"why":"` + strings.Repeat("x", maxText+9) + "\"}\n" + wire.ProbePrefix + `{"id":1,"why":"again"}` + "\n" +
		strings.Repeat("y", 1<<17) + "\n" + wire.ProbePrefix + `{"id":2}` + "\n"))
	if hello := <-p.hello; hello.MTU != 1450 {
		t.Errorf("the first hello counts, not %+v", hello)
	}
	if got := <-first; len(got.Why) > maxText+10 || len(first) > 0 {
		t.Errorf("%d bytes of a reason, %d more answers", len(got.Why), len(first))
	}
	if len(second) > 0 {
		t.Error("what comes after a line without end was believed")
	}
}
