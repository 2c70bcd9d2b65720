// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// loosely are the functions that may rename something without making that durable, each with
// the reason.
func loosely() map[string]string {
	const gone = "it lies in /run, which goes with the power"
	return map[string]string{
		"cmd/lifecycle-node/depart.go notice":                 gone,
		"cmd/lifecycle-node/hostcommand/answer_linux.go make": gone,
		"cmd/lifecycle-node/hostcommand/answer_linux.go save": gone,
		"pkg/clean/disk/cnifiles_linux.go renameNew":          "putBack calls it, and makes it durable",
		"pkg/clean/filter/snapshot_linux.go snapshot":         "what it would bring back goes with the power",
		"pkg/prep/install/stage_linux.go Open":                "what is unpacked there is used at once, and fetched again",
		"pkg/host/cri/critest/runtime.go Serve":               "it is for tests",
	}
}

// undurable are the functions of a source that rename a file, or make a directory, and do not
// call SyncDir behind that: after a power cut the name may be gone, and what was deleted next,
// since it was kept there, is gone, too.
func undurable(set *token.FileSet, file *ast.File) (out []string) {
	for _, d := range file.Decls {
		f, is := d.(*ast.FuncDecl)
		if !is || f.Body == nil {
			continue
		}
		var named, synced token.Pos
		ast.Inspect(f.Body, func(n ast.Node) bool {
			c, is := n.(*ast.CallExpr)
			if !is {
				return true
			}
			switch called := written(c.Fun); called {
			case "os.Rename", "os.MkdirAll", "os.Mkdir", "unix.Rename", "unix.Renameat", "unix.Renameat2", "syscall.Rename", "unix.Mkdir",
				"unix.Mkdirat":
				named = max(named, c.Pos())
			case "host.SyncDir", "SyncDir":
				synced = max(synced, c.Pos())
			}
			return true
		})
		if named > synced {
			out = append(out, fmt.Sprintf("%s %s", set.Position(named), f.Name.Name))
		}
	}
	return out
}

func TestWhatIsRenamedOnAHostOutlivesAPowerCut(t *testing.T) {
	known, met := loosely(), map[string]bool{}
	eachSource(t, []string{"../cmd/lifecycle-node", "../pkg/clean", "../pkg/host", "../pkg/prep"},
		func(path string, set *token.FileSet, file *ast.File) {
			for _, found := range undurable(set, file) {
				name := strings.TrimPrefix(filepath.ToSlash(path), "../") + found[strings.LastIndex(found, " "):]
				if met[name] = true; known[name] == "" {
					t.Errorf("%s: it gives a name that a power cut may take away: call host.SyncDir behind it, or host.MakeDir", found)
				}
			}
		})
	for name, why := range known {
		if !met[name] {
			t.Errorf("%s is excused, and does nothing of the kind any more (%s)", name, why)
		}
	}
}

func TestARenameThatIsNotDurableIsFound(t *testing.T) {
	for body, found := range map[string]int{
		"return os.Rename(a, b)": 1,
		"if err := os.Rename(a, b); err != nil {\nreturn err\n}\nreturn host.SyncDir(d)": 0,
		"return errors.Join(os.Rename(a, b), host.SyncDir(d))":                           0,
		"return errors.Join(host.SyncDir(d), os.Rename(a, b))":                           1,
		"host.SyncDir(d)\nreturn unix.Renameat2(1, a, 2, b, 0)":                          1,
		"_ = func() error { return unix.Rename(a, b) }":                                  1,
		"return os.MkdirAll(d, 0o700)":                                                   1,
		"return host.MakeDir(d, 0o700)":                                                  0,
		"return os.Remove(a)":                                                            0,
	} {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, "x.go", "package x\nfunc f() error {\n"+body+"\n}", parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := undurable(set, file); len(got) != found {
			t.Errorf("%s: %v", body, got)
		}
	}
}
