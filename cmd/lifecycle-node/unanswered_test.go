// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// A removal goes on only on a host that has not joined since it began, and whose machine
// it is: what cannot be read says neither, and is no leave to clean.
func TestADiskThatDoesNotAnswerIsNoLeaveToClean(t *testing.T) {
	for name, tc := range map[string]struct {
		plant string
		ask   func() error
		says  string
	}{
		"it has not joined since": {"printf 'then\nnone\n' > " + in(begunFile), notJoinedSince, ""},
		"whether it has joined": {"printf 'then\nnone\n' > " + in(begunFile) + "; mv /etc/kubernetes /etc/k; ln -s kubernetes /etc/kubernetes",
			notJoinedSince, "joined"},
		"when the work began":    {"mv " + stateDir + " /x; ln -s " + stateDir + " " + stateDir, notJoinedSince, "joined"},
		"what was noted of that": {"ln -s x " + in("x") + "; ln -s x " + in(begunFile), notJoinedSince, "joined"},
		"whose machine it is": {"mkdir -p /var/lib/kubelet; ln -s pki /var/lib/kubelet/pki",
			func() error { return ownMachine(wire.Spec{Node: "w1", Operation: wire.Remove}) }, "whose machine this is"},
		"a certificate without sense names no node": {"mkdir -p /var/lib/kubelet/pki; cd /var/lib/kubelet/pki; " +
			"printf -- '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' > kubelet-client-current.pem",
			func() error { return ownMachine(wire.Spec{Node: "w1", Operation: wire.Remove}) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			hosttest.Isolate(t, func(t *testing.T, _ string) {
				hosttest.Script(t, "for d in /etc /var/lib; do mount -t tmpfs none $d; done; mkdir -p /etc/kubernetes "+stateDir+"\n"+tc.plant)
				if err := tc.ask(); (err != nil) != (tc.says != "") || err != nil && !strings.Contains(err.Error(), tc.says) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
