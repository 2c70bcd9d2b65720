// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestEveryFileCanBeReviewed: what is kept in git is text, and no file is so large that
// no one reads it.
func TestEveryFileCanBeReviewed(t *testing.T) {
	out, err := exec.Command("git", "-C", "..", "ls-files", "-z").Output()
	if err != nil {
		t.Skipf("not a git work tree: %v", err)
	}
	const most = 1 << 20
	files := 0
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		info, err := os.Lstat("../" + name)
		if err != nil || !info.Mode().IsRegular() {
			continue // deleted, or a link
		}
		files++
		if info.Size() > most {
			t.Errorf("%s has %d bytes, more than %d", name, info.Size(), most)
			continue
		}
		raw, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(raw, 0) >= 0 && !strings.Contains(name, "testdata/") {
			t.Errorf("%s is a binary file", name)
		}
	}
	if files < 500 {
		t.Errorf("only %d files were seen", files)
	}
}
