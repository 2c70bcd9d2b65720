// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dialect are words that docs/glossary.md rules out: who they mean, or what has
// happened, a reader has to guess.
const dialect = `(?i)\b(nobody|somebody|anybody|whoever|anew|meanwhile|of others|of another's|` +
	`stays? aside|heed(s|ed)?|lets? go of|hears? that|have (them|their pods) leave)\b`

// TestUsersReadPlainEnglish counts the dialect in what users read: the string
// literals of the programs, and the documents. The numbers are those of today; lower
// them when a sentence is mended, and never raise one.
func TestUsersReadPlainEnglish(t *testing.T) {
	word := regexp.MustCompile(dialect)
	for what, most := range map[string]int{"programs": 0, "documents": 0} {
		count := 0
		tell := func(where, text string) {
			for _, found := range word.FindAllString(text, -1) {
				count++
				if testing.Verbose() {
					t.Logf("%s: %q", where, found)
				}
			}
		}
		if what == "documents" {
			for _, page := range documents(t) {
				tell(page, read(t, page))
			}
		} else {
			literals(t, "../cmd", tell)
			literals(t, "../pkg", tell)
		}
		if count > most {
			t.Errorf("%s: %d words of docs/glossary.md's last section, %d are allowed: go test -v -run %s ./hack/ lists them", what,
				count, most, t.Name())
		}
		t.Logf("%s: %d of %d", what, count, most)
	}
}

// documents are the pages that people read.
func documents(t *testing.T) []string {
	t.Helper()
	pages := []string{"../README.md", "../CONTRIBUTING.md", "../hack/testbed/README.md"}
	for _, pattern := range []string{"../docs/*.md", "../docs/adr/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range found {
			if filepath.Base(page) != "glossary.md" {
				pages = append(pages, page)
			}
		}
	}
	return pages
}

// literals visits the string literals of the programs below a folder.
func literals(t *testing.T, root string, visit func(where, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			expression, is := node.(ast.Expr)
			if !is {
				return true
			}
			text, whole := folded(expression) // a sum of literals is one text
			if whole {
				visit(set.Position(expression.Pos()).String(), text)
			}
			return !whole
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
