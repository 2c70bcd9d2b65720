// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The plugin has one way to a terminal: output.go (of env and of view), and
// view/progress.go for what changes in place. What passes there is filtered; what goes around it is not.

// printers are the files of the plugin that may write to its streams.
func printers() []string { return []string{"output.go", "progress.go"} }

// safeTexts are the texts that other files may pass around the filter, because
// this program wrote them: marks, indents and remarks with spaces at their ends.
func safeTexts() []string { return []string{"lead", "remark", "already"} }

func TestNothingIsPrintedAroundTheFilter(t *testing.T) {
	seen := 0
	eachSource(t, []string{"../cmd/kubectl-lifecycle"}, func(path string, set *token.FileSet, file *ast.File) {
		seen++
		for _, v := range printsAround(set, file, filepath.Base(path)) {
			t.Error(v)
		}
	})
	if seen < 10 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// TestTheNodeProgramSaysNothingAroundTheFilter: what it tells a person on the host is in the
// journal and on terminals there. Its answers to the plugin are JSON, which the plugin filters.
func TestTheNodeProgramSaysNothingAroundTheFilter(t *testing.T) {
	seen := 0
	eachSource(t, []string{"../cmd/lifecycle-node"}, func(_ string, set *token.FileSet, file *ast.File) {
		seen++
		for _, v := range saidAround(set, file) {
			t.Error(v)
		}
	})
	if seen < 10 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// saidAround finds what writes to the process's streams with words that pass no filter.
func saidAround(set *token.FileSet, file *ast.File) []string {
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, is := n.(*ast.CallExpr)
		if !is {
			return true
		}
		called := written(call.Fun)
		pkg, name, _ := strings.Cut(called, ".")
		stream := len(call.Args) > 0 && strings.HasPrefix(written(call.Args[0]), "os.Std")
		plain := func(arg ast.Expr) bool { return !literal(arg) && !filters(arg) }
		switch {
		case called == "print", called == "println", pkg == "log", pkg == "fmt" && strings.HasPrefix(name, "Print"),
			strings.HasPrefix(called, "os.Std") && strings.Contains(called, ".Write"),
			pkg == "fmt" && strings.HasPrefix(name, "Fprint") && stream && slices.ContainsFunc(call.Args[1:], plain),
			called == "io.WriteString" && stream:
			found = append(found, fmt.Sprintf("%s: %s: use report.Complain or a report.Printer", set.Position(n.Pos()), called))
		}
		return true
	})
	return found
}

func TestWordsAroundTheNodeProgramsFilterAreFound(t *testing.T) {
	for body, want := range map[string]int{
		`fmt.Fprintln(os.Stderr, "lifecycle-node:", err)`:     1,
		`fmt.Fprintf(os.Stdout, "%s", name)`:                  1,
		`fmt.Println(name)`:                                   1,
		`println(name)`:                                       1,
		`log.Printf("%s", name)`:                              1,
		`io.WriteString(os.Stderr, name)`:                     1,
		`os.Stderr.WriteString(name)`:                         1,
		`os.Stdout.Write(raw)`:                                1,
		`fmt.Fprintln(os.Stderr, "it works on Linux only")`:   0,
		`fmt.Fprintln(os.Stderr, text.Line(name))`:            0,
		`report.Complain("journal: %v", err)`:                 0,
		`fmt.Fprintf(out, "%s%s\n", wire.AnswerPrefix, line)`: 0,
	} {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, "a.go", "package main\nfunc f() {\n"+body+"\n}", parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := saidAround(set, file); len(got) != want {
			t.Errorf("%s: %d findings, want %d: %v", body, len(got), want, got)
		}
	}
}

// eachSource parses the source files below some directories, without tests.
func eachSource(t *testing.T, roots []string, visit func(path string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err == nil {
				visit(path, set, file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// printsAround finds what writes to a stream without passing the filter.
func printsAround(set *token.FileSet, file *ast.File, base string) []string {
	var found []string
	report := func(n ast.Node, format string, args ...any) {
		found = append(found, fmt.Sprintf("%s: %s", set.Position(n.Pos()), fmt.Sprintf(format, args...)))
	}
	asked := map[ast.Node]bool{} // streams that are only asked whether they are terminals
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			called := written(n.Fun)
			if strings.HasSuffix(called, ".Terminal") && len(n.Args) == 1 {
				asked[n.Args[0]] = true
			}
			if why := printing(called, n, base); why != "" {
				report(n, "%s: %s", called, why)
			}
		case *ast.CompositeLit:
			// main.go hands the process's streams to the program, once.
			if base == "main.go" && written(n.Type) == "genericiooptions.IOStreams" {
				return false
			}
		case *ast.SelectorExpr:
			name := written(n)
			stream := strings.HasSuffix(name, "streams.Out") || strings.HasSuffix(name, "streams.ErrOut")
			if name == "os.Stdout" || name == "os.Stderr" || stream && !asked[n] && !slices.Contains(printers(), base) {
				report(n, "%s is for %v only", name, printers())
			}
		}
		return true
	})
	return found
}

// printing says why a call may not be here; empty if it may.
func printing(called string, call *ast.CallExpr, base string) string {
	own := slices.Contains(printers(), base)
	pkg, name, _ := strings.Cut(called, ".")
	switch {
	case pkg == "fmt" && strings.HasPrefix(name, "Print"), called == "print", called == "println", pkg == "log":
		return "it knows no filter: use Say or a sheet"
	case called == "fmt.Fprintf" && base != "progress.go", strings.HasPrefix(called, "fmt.Fprint") && !own:
		return "use Say or a sheet, which filter their arguments"
	case base == "output.go" && strings.HasPrefix(called, "fmt.Fprint") && !slices.ContainsFunc(call.Args[1:], filters) && len(call.Args) > 1:
		return "its arguments do not pass pkg/text"
	case (called == "io.WriteString" || called == "io.Copy") && !own:
		return "use Say or a sheet"
	case strings.HasSuffix(called, ".OutOrStdout"), strings.HasSuffix(called, ".ErrOrStderr"), strings.HasSuffix(called, ".OutOrStderr"):
		return "cobra's streams know no filter"
	case called == "text.Safe" && !own && (len(call.Args) != 1 || !literal(call.Args[0]) &&
		!slices.Contains(safeTexts(), written(call.Args[0]))):
		return "what is called safe passes no filter: only the program's own words"
	}
	return ""
}

func filters(arg ast.Expr) bool {
	call, ok := arg.(*ast.CallExpr)
	return ok && strings.HasPrefix(written(call.Fun), "text.")
}

func literal(e ast.Expr) bool { _, ok := e.(*ast.BasicLit); return ok }

// written is a name as it is in the source: "e.streams.Out"; empty for more than
// names.
func written(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x := written(e.X); x != "" {
			return x + "." + e.Sel.Name
		}
		return "." + e.Sel.Name
	case *ast.CallExpr:
		return written(e.Fun) + "()"
	}
	return ""
}

func TestAPrintAroundTheFilterIsFound(t *testing.T) {
	cases := map[string]struct {
		base, body string
		want       int
	}{
		"say is the way":                          {"a.go", `c.Say("node %s", name)`, 0},
		"a result for people is a sheet":          {"a.go", `c.Print(f, r, func(s *view.Sheet) error { return s.Line("%s", name) })`, 0},
		"a print to a stream is not":              {"a.go", `fmt.Fprintf(e.streams.Out, "%s\n", name)`, 2},
		"nor to a writer of unknown origin":       {"a.go", `fmt.Fprintln(w, name)`, 1},
		"nor a write of bytes":                    {"a.go", `e.streams.ErrOut.Write(raw)`, 1},
		"nor a stream that is handed on":          {"a.go", `table(e.streams.Out, rows)`, 1},
		"nor the process's own":                   {"a.go", `os.Stdout.WriteString(name)`, 1},
		"nor a builtin":                           {"a.go", `println(name)`, 1},
		"nor io":                                  {"a.go", `io.WriteString(w, name)`, 1},
		"nor cobra's":                             {"a.go", `x(cmd.OutOrStdout())`, 1},
		"nor a name that is called safe":          {"a.go", `c.Say("%s", text.Safe(node.Name))`, 1},
		"a stream may be asked what it is":        {"a.go", `if e.Terminal(e.streams.Out) { return }`, 0},
		"a Sprintf writes nowhere":                {"a.go", `_ = fmt.Sprintf("%s", name)`, 0},
		"output.go may write what is filtered":    {"output.go", `fmt.Fprintln(w, text.Join(row, "x"))`, 0},
		"it may not write what is not":            {"output.go", `fmt.Fprintln(e.streams.Out, name)`, 1},
		"nor have a format without a filter":      {"output.go", `fmt.Fprintf(e.streams.Out, "%s", text.Line(name))`, 1},
		"main.go hands over the process's":        {"main.go", `s := genericiooptions.IOStreams{Out: os.Stdout, ErrOut: os.Stderr}`, 0},
		"it writes nothing itself":                {"main.go", `fmt.Fprintln(os.Stderr, err)`, 2},
		"a method that prints by another name":    {"a.go", `log.Printf("%s", name)`, 1},
		"a stream of an embedded environment, to": {"a.go", `jsonLine(r.streams.Out, event)`, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, c.base, "package main\nfunc f() {\n"+c.body+"\n}", parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if got := printsAround(set, file, c.base); len(got) != c.want {
				t.Errorf("%d findings, want %d: %v", len(got), c.want, got)
			}
		})
	}
}
