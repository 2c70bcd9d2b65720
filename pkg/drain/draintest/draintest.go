// SPDX-License-Identifier: Apache-2.0

// Package draintest makes decisions for the tests of the packages below drain. Only
// tests import it.
package draintest

import (
	"testing"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// Decide surveys and decides about the node of the fixtures, failing the test on
// an error.
func Decide(t *testing.T, client kubernetes.Interface, o drain.Options) drain.Decision {
	t.Helper()
	s, err := drain.Survey(t.Context(), client, drain.Target{Names: []string{kubetest.TheNode}}, o)
	if err != nil {
		t.Fatalf("survey: %v", err)
	}
	return drain.Decide(s, o)
}
