// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"os"
	"strings"
	"testing"
)

// TestTheDocumentListsEveryFinding holds docs/lint.md to the code.
func TestTheDocumentListsEveryFinding(t *testing.T) {
	raw, err := os.ReadFile("../../docs/lint.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range IDs() {
		if !strings.Contains(string(raw), "| `"+id+"` |") {
			t.Errorf("%s is not there", id)
		}
	}
	if n := strings.Count(string(raw), "| `LINT"); n != len(IDs()) {
		t.Errorf("%d ids, and %d are listed", len(IDs()), n)
	}
}
