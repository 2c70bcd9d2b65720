// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

func TestTheNamespaceOfARunIsAsked(t *testing.T) {
	pod := kubetest.Pod("lifecycle-w1", kubetest.AsRunner, kubetest.InNamespace("ops"))
	if IsRunner(pod, "") || !IsRunner(pod, "ops") || IsRunner(pod, "kube-system") {
		t.Error("the namespace is not what decides")
	}
}
