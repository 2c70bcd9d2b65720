// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// dialect are words that docs/glossary.md rules out: who they mean, or what has
// happened, a reader has to guess.
const dialect = `(?i)\b(nobody|somebody|anybody|whoever|anew|meanwhile|of others|of another's|` +
	`stays? aside|heed(s|ed)?|lets? go of|hears? that|have (them|their pods) leave)\b`

// TestUsersReadPlainEnglish counts the dialect in what users read (the string
// literals of the programs, the documents) and in what developers read (comments and
// names). There are none, and none may come.
func TestUsersReadPlainEnglish(t *testing.T) {
	word := regexp.MustCompile(dialect)
	counts := map[string]int{}
	tell := func(what, where, text string) {
		for _, found := range word.FindAllString(text, -1) {
			counts[what]++
			if testing.Verbose() {
				t.Logf("%s: %s: %q", what, where, found)
			}
		}
	}
	for _, page := range documents(t) {
		tell("documents", page, read(t, page))
	}
	eachSource(t, []string{"../cmd", "../pkg"}, func(_ string, set *token.FileSet, file *ast.File) { spoken(set, file, tell) })
	eachSource(t, []string{"../cmd", "../pkg", "../hack"}, func(path string, set *token.FileSet, _ *ast.File) {
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range file.Comments {
			tell("comments", set.Position(group.Pos()).String(), strings.Join(strings.Fields(group.Text()), " "))
		}
	})
	for what, most := range map[string]int{"programs": 0, "documents": 0, "comments": 0, "names": 0} {
		if counts[what] > most {
			t.Errorf("%s: %d words of docs/glossary.md's last section, %d are allowed: go test -v -run %s ./hack/ lists them", what,
				counts[what], most, t.Name())
		}
		t.Logf("%s: %d of %d", what, counts[what], most)
	}
}

// spoken visits what a file says: its string literals, and the words of the names
// that it declares.
func spoken(set *token.FileSet, file *ast.File, tell func(what, where, text string)) {
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.Ident:
			if node.Name != "NoBody" { // net/http's
				tell("names", set.Position(node.Pos()).String(), inWords(node.Name))
			}
		case ast.Expr:
			text, whole := folded(node) // a sum of literals is one text
			if whole {
				tell("programs", set.Position(node.Pos()).String(), text)
			}
			return !whole
		}
		return true
	})
}

// inWords divides a name at its capital letters: "leaveBe" is "leave be".
func inWords(name string) string {
	var words strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			words.WriteByte(' ')
		}
		words.WriteRune(r)
	}
	return words.String()
}

// documents are the pages that people read.
func documents(t *testing.T) []string {
	t.Helper()
	pages := []string{"../README.md", "../CONTRIBUTING.md", "../hack/testbed/README.md", "../docs/rbac.yaml"}
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
