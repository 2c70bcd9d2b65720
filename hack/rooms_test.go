// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What CONTRIBUTING.md bounds: the files of a package beside its tests, the lines of a
// file and of a function, and the columns of a line.
const (
	mostFiles     = 15
	mostLines     = 300
	mostTestLines = 500
	mostFunction  = 60
	mostColumns   = 140
	// mostFaults is how many lines, functions and files are to be mended; it may only
	// become smaller.
	mostFaults = 0
)

// room is a package as a reader finds it.
type room struct {
	files, exported int
	doc             bool
}

// TestRoomsAreNoWarehouses holds packages, files, functions and lines to their bounds.
// With -v it prints the files and the exported names of each package.
func TestRoomsAreNoWarehouses(t *testing.T) {
	rooms := map[string]*room{}
	var faults []string
	for _, root := range []string{"../cmd", "../pkg", "../hack", "../e2e"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(filepath.Dir(path), "../")
			if rooms[name] == nil {
				rooms[name] = &room{}
			}
			faults = append(faults, measure(rooms[name], path, raw)...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, fault := range faults {
		t.Log(fault)
	}
	if len(faults) > mostFaults {
		t.Errorf("%d lines, functions and files are out of bounds, and %d are allowed", len(faults), mostFaults)
	}
	for _, name := range slices.Sorted(maps.Keys(rooms)) {
		r := rooms[name]
		t.Logf("%-40s %3d files, %3d exported names", name, r.files, r.exported)
		if r.files > mostFiles {
			t.Errorf("%s has %d files beside tests, more than %d: divide it by ideas", name, r.files, mostFiles)
		}
		if !r.doc && strings.HasPrefix(name, "pkg/") && r.files > 0 {
			t.Errorf("%s has no comment that says what it is about", name)
		}
	}
}

// measure counts a file of a room, and returns what is out of bounds in it.
func measure(r *room, path string, raw []byte) (faults []string) {
	test := strings.HasSuffix(path, "_test.go")
	lines := bytes.Split(raw, []byte("\n"))
	for i, line := range lines {
		// A regular expression or a script in a raw string is one value.
		if columns := len([]rune(strings.ReplaceAll(string(line), "\t", " "))); columns > mostColumns && !bytes.ContainsRune(line, '`') {
			faults = append(faults, at(path, i+1)+": longer than 140 columns")
		}
	}
	most := mostLines
	if test {
		most = mostTestLines
	}
	if len(lines)-1 > most {
		faults = append(faults, at(path, most)+": the file goes on after that")
	}
	if test {
		return faults
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, raw, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return append(faults, err.Error())
	}
	r.files++
	r.doc = r.doc || file.Doc != nil
	for _, d := range file.Decls {
		r.exported += exported(d)
		if f, is := d.(*ast.FuncDecl); is && f.Body != nil {
			begin, end := set.Position(f.Pos()).Line, set.Position(f.End()).Line
			if end-begin+1 > mostFunction {
				faults = append(faults, at(path, begin)+": "+f.Name.Name+" has more than 60 lines")
			}
		}
	}
	return faults
}

func at(path string, line int) string { return token.Position{Filename: path, Line: line}.String() }

// exported counts the names of a declaration that other packages may use.
func exported(d ast.Decl) (n int) {
	count := func(name *ast.Ident) {
		if name.IsExported() {
			n++
		}
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			count(d.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				count(s.Name)
			case *ast.ValueSpec:
				for _, name := range s.Names {
					count(name)
				}
			}
		}
	}
	return n
}
