// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNoWordForPeopleDecidesAnything(t *testing.T) {
	words := []string{"", "host network", "running, host network", "gets back its name /x", "last, since it is the way back",
		"empty after that", "a copy of kubeadm's kubeconfig"}
	plain := Item{Kind: KindContainer, Name: "b", Fate: Goes}
	for _, kind := range []Kind{KindSandbox, KindContainer, KindFile, KindDir, KindLink} {
		for _, turn := range []Turn{"", AfterOthers, AsCredential, AsHold} {
			plain.Kind, plain.Turn = kind, turn
			other := Item{Kind: kind, Name: "a", Fate: Goes}
			want := Decide(Inventory{Items: []Item{plain, other}}).Objects
			for _, word := range words {
				said := plain
				said.Detail, said.Why = word, word
				got := Decide(Inventory{Items: []Item{said, other}}).Objects
				for i := range got {
					got[i].Detail, got[i].Why = "", ""
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, %q, %q:\n%s", kind, turn, word, diff)
				}
			}
		}
	}
}

// What is in Item.Detail and Item.Why is shown, and read by nothing.
func TestNothingReadsTheWordsForPeople(t *testing.T) {
	files := token.NewFileSet()
	word := func(e ast.Expr) bool {
		s, is := e.(*ast.SelectorExpr)
		return is && (s.Sel.Name == "Detail" || s.Sel.Name == "Why")
	}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && (word(n.X) || word(n.Y)) {
					t.Errorf("%s compares it", files.Position(n.Pos()))
				}
			case *ast.SwitchStmt:
				if n.Tag != nil && word(n.Tag) {
					t.Errorf("%s decides by it", files.Position(n.Pos()))
				}
			case *ast.CallExpr:
				if f, is := n.Fun.(*ast.SelectorExpr); is && len(n.Args) > 1 && word(n.Args[0]) {
					if of, is := f.X.(*ast.Ident); is && of.Name == "strings" {
						t.Errorf("%s looks into it", files.Position(n.Pos()))
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
