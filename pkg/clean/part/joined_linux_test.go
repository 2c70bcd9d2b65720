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
	"time"
)

func TestAJoinIsDatedByTwoFilesThatAgree(t *testing.T) {
	day := func(n int, more time.Duration) time.Time {
		return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC).Add(more)
	}
	for name, tc := range map[string]struct {
		births []time.Time
		want   time.Time
	}{
		"nothing tells":                     {nil, time.Time{}},
		"one file alone":                    {[]time.Time{day(3, 0)}, day(3, 0)},
		"a join":                            {[]time.Time{day(3, time.Minute), day(3, 0), day(3, time.Second)}, day(3, 0)},
		"a ca.crt of before":                {[]time.Time{day(1, 0), day(3, 0), day(3, time.Minute)}, day(3, 0)},
		"a configuration that was edited":   {[]time.Time{day(9, 0), day(3, 0), day(3, time.Minute)}, day(3, 0)},
		"an init that was finished later":   {[]time.Time{day(3, 0), day(3, 2*time.Hour), day(3, 2*time.Hour+time.Second)}, day(3, 2*time.Hour)},
		"no two agree, as after many edits": {[]time.Time{day(9, 0), day(3, 0)}, day(3, 0)},
	} {
		if got := joinedAt(tc.births); !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// Every note of a removal goes when it is of another join: a part that writes down one more
// has to say so here.
func TestEveryNoteIsKnown(t *testing.T) {
	note := regexp.MustCompile(`(?m)^\s*(?:const )?\w+File\s*= "([^"/]+)"`)
	known := append(notesFiles(), "packet-filter-deleted.txt")
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
