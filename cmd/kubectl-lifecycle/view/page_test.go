// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"strings"
	"testing"
)

func TestALineBreakIsInNoCommand(t *testing.T) {
	for name, tc := range map[string]struct{ paragraph, whole string }{
		"at the end": {"see whether the host runs and reaches the API server; if it is lost: kubectl lifecycle remove worker-1 --node-lost",
			"kubectl lifecycle remove worker-1 --node-lost"},
		"in the middle": {"see whether the host runs and reaches the server, then: systemctl status kubelet; if it is lost, tell the others",
			"systemctl status kubelet;"},
		"in brackets": {"look at it before you delete anything that may be another's, wherever it is (kubectl -n kube-system get pods) and ask",
			"(kubectl -n kube-system get pods)"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := &page{NewSheet(&out)}
			p.item("    ", tc.paragraph)
			if !strings.Contains(out.String(), tc.whole) || strings.Join(strings.Fields(out.String()), " ") != tc.paragraph {
				t.Errorf("the command is broken, or a word is lost:\n%s", out.String())
			}
			for line := range strings.Lines(out.String()) {
				if len(line) > pageWidth+1 {
					t.Errorf("too long: %s", line)
				}
			}
		})
	}
	if got := Fill("see: kubectl "+strings.Repeat("word ", 40)+"end, or not", 76); len(got) != 3 {
		t.Errorf("a command that is longer than a line: %q", got)
	}
}
