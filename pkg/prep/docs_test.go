// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"os"
	"strings"
	"testing"
)

func TestEachCheckIsInTheDocuments(t *testing.T) {
	page, err := os.ReadFile("../../docs/prep.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, line := range strings.Split(string(page), "\n") {
		if strings.HasPrefix(line, "| `PREP") {
			rows++
		}
	}
	for _, id := range IDs() {
		if !strings.Contains(string(page), "| `"+id+"` |") {
			t.Errorf("%s is not in docs/prep.md", id)
		}
	}
	if rows != len(IDs()) {
		t.Errorf("%d rows, %d checks", rows, len(IDs()))
	}
}
