// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A test that sleeps is slow and fails on a busy machine, unless it sleeps in
// a bubble of testing/synctest, where only the clock moves. What waits for a
// real cluster waits for a condition.
func TestNoTestSleepsOutsideABubble(t *testing.T) {
	bubbles := map[string]bool{} // by directory: a helper may lie in another file
	var sleepers []string
	walkTests(t, func(path string, source []byte) {
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		if slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` }) {
			bubbles[filepath.Dir(path)] = true
		}
		if strings.Contains(string(source), "\ttime.Sleep(") {
			sleepers = append(sleepers, path)
		}
	})
	for _, path := range sleepers {
		if !bubbles[filepath.Dir(path)] {
			t.Errorf("%s sleeps: use testing/synctest, or wait for a condition", path)
		}
	}
}

func walkTests(t *testing.T, visit func(path string, source []byte)) {
	t.Helper()
	for _, root := range []string{"../cmd", "../pkg", "../e2e"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if err == nil {
				visit(path, source)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
