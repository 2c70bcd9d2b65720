// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The page about security names the test of each protection: one that is renamed or
// deleted would leave a claim that nothing shows.
func TestTheSecurityPageNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, root := range []string{"../pkg", "../cmd", "../hack", "../e2e"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			raw, err := os.ReadFile(path)
			source.Write(raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	names := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	stages := regexp.MustCompile(`stage "([^"]+)"`).FindAllStringSubmatch(string(page), -1)
	if len(names) < 40 || len(stages) < 2 {
		t.Fatalf("the page names %d tests and %d stages", len(names), len(stages))
	}
	for _, name := range names {
		if !strings.Contains(source.String(), "func "+name[1]+"(") {
			t.Errorf("there is no %s", name[1])
		}
	}
	for _, stage := range stages {
		if !strings.Contains(source.String(), `{"`+stage[1]+`",`) {
			t.Errorf("there is no stage %q", stage[1])
		}
	}
}
