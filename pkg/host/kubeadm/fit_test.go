// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestVersionsThatCannotJoinAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		adm, let, cluster string
		refusal           string
	}{
		"the same":                       {"v1.36.3", "v1.36.3", "v1.36.1", ""},
		"a kubeadm of the next":          {"v1.37.0", "v1.36.3", "v1.36.3", ""},
		"a kubeadm too new":              {"v1.38.0", "v1.36.3", "v1.36.3", "kubeadm is v1.38.0"},
		"a kubeadm too old":              {"v1.35.4", "v1.35.4", "v1.36.3", "kubeadm is v1.35.4"},
		"a kubelet three behind":         {"v1.36.3", "v1.33.9", "v1.36.3", ""},
		"a kubelet four behind":          {"v1.36.3", "v1.32.9", "v1.36.3", "more than 3 minor versions behind"},
		"a kubelet that is newer":        {"v1.36.3", "v1.37.0", "v1.36.3", "newer than the control plane"},
		"nobody knows the control plane": {"v1.36.3", "v1.30.0", "", ""},
		"nonsense":                       {"none", "v1.36.3", "v1.36.3", "not a version"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Versions{tc.adm, tc.let}.Fit(tc.cluster)
			if tc.refusal == "" && err != nil || tc.refusal != "" && (err == nil || !strings.Contains(err.Error(), tc.refusal)) {
				t.Errorf("got %v", err)
			}
			if plan.ClassOf(err) == plan.Refused && !strings.Contains(plan.HintOf(err), "install kubeadm and kubelet 1.36") {
				t.Errorf("hint %q", plan.HintOf(err))
			}
		})
	}
}
