// SPDX-License-Identifier: Apache-2.0

package newcontrolplane

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func TestAControlPlaneJoinsOnlyAClusterThatItDoesNotEndanger(t *testing.T) {
	cp := func(name, address string) corev1.Node { return flowtest.ControlPlane(name, address, true) }
	away := flowtest.ControlPlane("cp2", "192.0.2.2", false)
	for name, c := range map[string]struct {
		endpoint string
		nodes    []corev1.Node
		refusal  string
		hint     string
		warnings []string
		others   []string
	}{
		"one, behind a name": {"api.example:6443", []corev1.Node{cp("cp1", "192.0.2.1")}, "", "",
			[]string{"with 2 control planes etcd survives the loss of 0 of them, no more than with 1"}, nil},
		"two, behind a name": {"api.example:6443", []corev1.Node{cp("cp1", "192.0.2.1"), cp("cp2", "192.0.2.2")}, "", "", nil,
			[]string{"192.0.2.2"}},
		"the endpoint is one of them": {"192.0.2.2:6443", []corev1.Node{cp("cp1", "192.0.2.1"), cp("cp2", "192.0.2.2")}, "", "",
			[]string{"192.0.2.2:6443 is the address of cp2"}, []string{"192.0.2.2"}},
		"an address beside them": {"192.0.2.100:6443", []corev1.Node{cp("cp1", "192.0.2.1"), cp("cp2", "192.0.2.2")}, "", "", nil,
			[]string{"192.0.2.2"}},
		"no common endpoint": {"", []corev1.Node{cp("cp1", "192.0.2.1")}, "no controlPlaneEndpoint", "docs/controlplanes.md", nil, nil},
		"one is away": {"api.example:6443", []corev1.Node{cp("cp1", "192.0.2.1"), away}, "control plane cp2 is not Ready",
			"remove cp2 --node-lost", nil, nil},
		"none is shown": {"api.example:6443", nil, "shows no control-plane node", "the provider", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Facts{Cluster: join.Cluster{Endpoint: "192.0.2.1:6443", ControlPlaneEndpoint: c.endpoint}, Nodes: c.nodes}.Choose()
			if c.refusal != "" {
				if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), c.refusal) || !strings.Contains(plan.HintOf(err), c.hint) {
					t.Fatalf("%v, hint %q", err, plan.HintOf(err))
				}
				return
			}
			if err != nil || got.Node.Name != "cp1" || !slices.Equal(got.Others, c.others) || len(got.Warnings) != len(c.warnings) {
				t.Fatalf("%s, others %q, warnings %q, error %v", got.Node.Name, got.Others, got.Warnings, err)
			}
			for i, want := range c.warnings {
				if !strings.Contains(got.Warnings[i], want) {
					t.Errorf("warning %q does not say %q", got.Warnings[i], want)
				}
			}
		})
	}
}

func TestWhatAHostAnswersIsJudged(t *testing.T) {
	files := map[string][]byte{"ca.crt": []byte("x")}
	members := func(s string) []byte {
		return []byte(`{"members":[{"id":"1","name":"cp1","url":"https://192.0.2.1:2379"}` + s + `]}`)
	}
	for name, c := range map[string]struct {
		answer  wire.SharedCertificates
		refusal string
		hint    string
	}{
		"all is well":               {wire.SharedCertificates{Files: files, Etcd: members("")}, "", ""},
		"etcd has hosts of its own": {wire.SharedCertificates{Files: files, Etcd: []byte("null")}, "", ""},
		"a key is elsewhere": {wire.SharedCertificates{Files: files, Missing: []string{"/etc/kubernetes/pki/ca.key"}},
			"does not have /etc/kubernetes/pki/ca.key", "by hand"},
		"a learner that never started": {wire.SharedCertificates{Files: files, Etcd: members(`,{"id":"2af","name":"2af","learner":true}`)},
			"member 2af of etcd has never started", "exec etcd-cp1 -- etcdctl"},
		"a learner": {wire.SharedCertificates{Files: files, Etcd: members(`,{"id":"2","name":"cp2","url":"https://x:2379","learner":true}`)},
			"cp2 of etcd is still learning", "etcd"},
		"one that is away": {wire.SharedCertificates{Files: files,
			Etcd: members(`,{"id":"2","name":"cp2","url":"https://x:2379","trouble":"does not answer"}`)},
			"cp2 of etcd does not answer", "mend"},
		"nothing":       {wire.SharedCertificates{}, "sent no certificates", ""},
		"a huge file":   {wire.SharedCertificates{Files: map[string][]byte{"ca.crt": make([]byte, mostOfFile+1)}}, "sent 65537 bytes", ""},
		"no membership": {wire.SharedCertificates{Files: files, Etcd: []byte(`[]`)}, "decode the members", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decide(c.answer, "cp1")
			if c.refusal == "" && (err != nil || len(got) != 1) {
				t.Errorf("%d files, %v", len(got), err)
			}
			if c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal) || !strings.Contains(plan.HintOf(err), c.hint)) {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}
