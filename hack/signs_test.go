// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPackagesNameWhatIsBelowThem: a reader of a package's comment is told of every package
// below it, and where the comment lists files, of every file.
func TestPackagesNameWhatIsBelowThem(t *testing.T) {
	for _, dir := range packagesOf(t, "../pkg", "../cmd/kubectl-lifecycle") {
		page := filepath.Join(dir, "doc.go")
		raw, err := os.ReadFile(page)
		if err != nil {
			continue // a package whose comment stands in its only file; rooms_test asks for one
		}
		comment, _, _ := strings.Cut(string(raw), "\npackage ")
		for _, missing := range unnamed(comment, below(t, dir), filesOf(t, dir)) {
			t.Errorf("%s does not name %s", page, missing)
		}
	}
}

// unnamed are the packages, and where the comment lists files the files, that a comment
// does not name.
func unnamed(comment string, packages, files []string) []string {
	var missing []string
	for _, name := range packages {
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(comment) {
			missing = append(missing, "package "+name)
		}
	}
	if !regexp.MustCompile(`(?m)^//\t[a-z_]+\.go\b`).MatchString(comment) {
		return missing
	}
	for _, name := range files {
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name)).MatchString(comment) {
			missing = append(missing, name)
		}
	}
	return missing
}

func TestWhatACommentDoesNotName(t *testing.T) {
	for name, c := range map[string]struct {
		comment         string
		packages, files []string
		want            []string
	}{
		"a package below it":                {"// Package a is one.\n", []string{"b"}, nil, []string{"package b"}},
		"a part of another word is no name": {"// Package a has bees.\n", []string{"bee"}, nil, []string{"package bee"}},
		"files, where none is listed":       {"// Package a, see b.go.\n", nil, []string{"c.go"}, nil},
		"files, where some are":             {"//\tb.go  this\n", nil, []string{"b.go", "c.go"}, []string{"c.go"}},
		"all are named":                     {"//\tb.go  this, with d\n", []string{"d"}, []string{"b.go"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := unnamed(c.comment, c.packages, c.files); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// packagesOf are the directories below some roots, themselves included.
func packagesOf(t *testing.T, roots ...string) []string {
	t.Helper()
	var dirs []string
	for _, root := range roots {
		dirs = append(dirs, root)
		for _, name := range below(t, root) {
			dirs = append(dirs, packagesOf(t, filepath.Join(root, name))...)
		}
	}
	return dirs
}

// below are the names of the packages in a directory, without those for tests alone.
func below(t *testing.T, dir string) []string {
	t.Helper()
	return entries(t, dir, func(e os.DirEntry) bool {
		return e.IsDir() && e.Name() != "testdata" && !strings.HasSuffix(e.Name(), "test") && e.Name() != "data"
	})
}

// filesOf are the names of a package's files, without tests, its comment and the list of
// its commands.
func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	return entries(t, dir, func(e os.DirEntry) bool {
		name := e.Name()
		return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") && name != "doc.go" && name != "commands.go"
	})
}

func entries(t *testing.T, dir string, wanted func(os.DirEntry) bool) []string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		if wanted(e) {
			names = append(names, e.Name())
		}
	}
	return names
}
