// SPDX-License-Identifier: Apache-2.0

package part

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every note of a removal goes when it is of another join: a part that writes down one more
// has to say so here.
func TestEveryNoteIsKnown(t *testing.T) {
	note := regexp.MustCompile(`(?m)^\s*(?:const )?\w+File\s*= "([^"/]+)"`)
	known := append(notesFiles(), DeletedFile)
	seen := 0
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_linux.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, found := range note.FindAllStringSubmatch(string(raw), -1) {
			if seen++; !slices.Contains(known, found[1]) {
				t.Errorf("%s: %s", path, found[1])
			}
		}
		return err
	})
	if err != nil || seen < len(known) {
		t.Errorf("%d of %d, %v", seen, len(known), err)
	}
}
