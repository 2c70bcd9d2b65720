// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"
	"testing"
)

func TestPlainMakesForeignTextHarmless(t *testing.T) {
	if got := Brief("a\n\x1b[2Jb\u202e c\t d "); got != "a [2Jb c d" {
		t.Errorf("got %q", got)
	}
	if got := []rune(Brief(strings.Repeat("ä", 1000))); len(got) != brief {
		t.Errorf("got %d characters", len(got))
	}
}
