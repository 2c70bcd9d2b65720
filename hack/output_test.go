// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// TestEveryResultHasAKindThatIsDocumented: what goes to stdout for machines is an object
// of view.Of, and docs/output.md names its kind, and no other.
func TestEveryResultHasAKindThatIsDocumented(t *testing.T) {
	kinds := map[string]bool{}
	eachSource(t, []string{"../cmd/kubectl-lifecycle"}, func(_ string, set *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, is := n.(*ast.CallExpr)
			if !is || len(call.Args) < 2 {
				return true
			}
			switch f, _ := call.Fun.(*ast.SelectorExpr); {
			case f == nil:
			case f.Sel.Name == "Of" && isIdent(f.X, "view"):
				if kind, is := call.Args[0].(*ast.BasicLit); is {
					kinds[strings.Trim(kind.Value, `"`)] = true
				}
			case f.Sel.Name == "Print" && len(call.Args) == 3:
				format, plain := call.Args[0].(*ast.BasicLit)
				if of, is := call.Args[1].(*ast.CallExpr); (!is || !isOf(of)) && (!plain || format.Value != `""`) {
					t.Errorf("%s: the result has no kind: view.Of", set.Position(call.Pos()))
				}
			}
			return true
		})
	})
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` ").FindAllStringSubmatch(read(t, "../docs/output.md"), -1) {
		documented[row[1]] = true
		if !kinds[row[1]] {
			t.Errorf("docs/output.md has kind %s, and no result is one", row[1])
		}
	}
	for kind := range kinds {
		if !documented[kind] {
			t.Errorf("docs/output.md does not have kind %s", kind)
		}
	}
	if len(kinds) < 20 {
		t.Errorf("only %d kinds were seen", len(kinds))
	}
}

func isOf(call *ast.CallExpr) bool {
	f, is := call.Fun.(*ast.SelectorExpr)
	return is && f.Sel.Name == "Of" && isIdent(f.X, "view")
}

func isIdent(x ast.Expr, name string) bool {
	id, is := x.(*ast.Ident)
	return is && id.Name == name
}
