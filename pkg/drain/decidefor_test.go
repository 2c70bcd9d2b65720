// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"testing"

	"k8s.io/client-go/kubernetes"
)

// decideFor surveys and decides about the node of the fixtures, failing the test on
// an error.
func decideFor(t *testing.T, client kubernetes.Interface, o Options) Decision {
	t.Helper()
	s, err := Survey(t.Context(), client, Target{Names: []string{theNode}}, o)
	if err != nil {
		t.Fatalf("survey: %v", err)
	}
	return Decide(s, o)
}
