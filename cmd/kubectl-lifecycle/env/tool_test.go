// SPDX-License-Identifier: Apache-2.0

package env

import "testing"

func TestTheProgramKnowsByWhichNameItWasCalled(t *testing.T) {
	for path, want := range map[string]struct {
		tool      Tool
		completes bool
	}{
		"/usr/bin/kubectl-lifecycle":           {Lifecycle, false},
		"kubectl-node_lifecycle.exe":           {NodeLifecycle, false},
		"/k/bin/kubectl_complete-lifecycle":    {Lifecycle, true},
		"/bin/kubectl_complete-node_lifecycle": {NodeLifecycle, true},
		"/tmp/root.test":                       {Lifecycle, false},
	} {
		if tool, completes := ToolOf(path); tool != want.tool || completes != want.completes {
			t.Errorf("%s: %s, %t; want %+v", path, tool, completes, want)
		}
	}
}
