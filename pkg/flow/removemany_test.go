// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

func TestSeveralNodesAreRefusedTogether(t *testing.T) {
	sick := worker()
	sick.Name = "w2"
	sick.Status.NodeInfo.KubeletVersion = "v1.36.1+k3s1"
	cp1, cp2 := controlPlane("cp1", "192.0.2.1", true), controlPlane("cp2", "192.0.2.2", true)
	for name, tc := range map[string]struct {
		nodes   []string
		refusal string
		missing bool
	}{
		"one of them cannot be removed": {nodes: []string{"w1", "w2"}, refusal: "node w2: node w2 is a k3s node"},
		"none of them exists":           {nodes: []string{"a", "b"}, refusal: "node not found: a, b", missing: true},
	} {
		t.Run(name, func(t *testing.T) {
			client := permissive(t, nil, worker(), sick, kubeadmConfig(), &cp1, &cp2)
			_, err := PrepareMany(t.Context(), runner.Cluster{Client: client}, tc.nodes, RemoveOptions{Drain: drain.DefaultOptions()})
			if plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), tc.refusal) || errors.Is(err, ErrNoNode) != tc.missing {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
			for _, a := range client.Actions() {
				if verb := a.GetVerb(); verb != "get" && verb != "list" && a.GetResource().Resource != "selfsubjectaccessreviews" {
					t.Errorf("it did %s %s", verb, a.GetResource().Resource)
				}
			}
		})
	}
}

func TestNodesThatAreGoneAreNamedAndTheOthersGoOn(t *testing.T) {
	client := permissive(t, nil, worker(), kubeadmConfig())
	options := drain.DefaultOptions()
	options.MaxParallel = "50%"
	m, err := PrepareMany(t.Context(), runner.Cluster{Client: client}, []string{"gone", "w1"}, RemoveOptions{Drain: options})
	if err != nil || len(m.Missing) != 1 || m.Missing[0] != "gone" || len(m.Workers) != 1 || m.MaxParallel != 1 {
		t.Errorf("got %+v, %v", m, err)
	}
}
