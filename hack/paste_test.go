// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A command that is printed is pasted, into a root's shell more often than not.
// Each word of it that is not written in the source has to be quoted, whoever
// chose it: text.Quote, text.Command.

// ownWords are words of commands that are not quoted because they cannot be
// anything else, with the reason.
func ownWords() map[string]string {
	return map[string]string{
		"metav1.NamespaceSystem":       "a constant of Kubernetes: kube-system",
		"discoveryv1.LabelServiceName": "a constant of Kubernetes",
		"inventory.DefaultKubeletRoot": "a constant: /var/lib/kubelet",
		"f.verb":                       "cordon or uncordon, in a help text",
		"info.Version":                 "what the version command prints, no command itself",
	}
}

func TestEveryWordOfAPrintedCommandIsQuoted(t *testing.T) {
	constants := map[string]map[string]bool{}
	roots := []string{"../pkg", "../cmd"}
	eachSource(t, roots, func(path string, _ *token.FileSet, file *ast.File) {
		dir := filepath.Dir(path)
		if constants[dir] == nil {
			constants[dir] = map[string]bool{}
		}
		constantsOf(file, constants[dir])
	})
	commands := 0
	eachSource(t, roots, func(path string, set *token.FileSet, file *ast.File) {
		n, found := unquoted(set, file, constants[filepath.Dir(path)])
		commands += n
		for _, v := range found {
			t.Error(v)
		}
	})
	if commands < 40 {
		t.Errorf("only %d commands with words of others were found: the test does not see them any more", commands)
	}
}

// constantsOf collects the names of a file's package constants.
func constantsOf(file *ast.File, into map[string]bool) {
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			for _, s := range g.Specs {
				for _, name := range s.(*ast.ValueSpec).Names {
					into[name.Name] = true
				}
			}
		}
	}
}

// words looks for commands in one function.
type words struct {
	set       *token.FileSet
	constants map[string]bool
	quoted    map[string]bool // variables that only ever hold quoted words
	commands  int
	found     []string
}

// unquoted finds the words of commands that are not quoted, and counts commands
// with words that are not in the source.
func unquoted(set *token.FileSet, file *ast.File, constants map[string]bool) (commands int, found []string) {
	for _, d := range file.Decls {
		w := words{set: set, constants: constants}
		w.quoted = w.variables(d)
		inner := map[ast.Expr]bool{} // parts of sums that were looked at as a whole
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				w.call(n)
			case *ast.BinaryExpr:
				if n.Op == token.ADD && !inner[n] {
					w.sum(n, inner)
				}
			}
			return true
		})
		commands, found = commands+w.commands, append(found, w.found...)
	}
	return commands, found
}

// variables are those of a declaration to which only quoted words are assigned.
func (w *words) variables(d ast.Decl) map[string]bool {
	quoted := map[string]bool{}
	ast.Inspect(d, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok || len(a.Lhs) != len(a.Rhs) {
			return true
		}
		for i, left := range a.Lhs {
			if id, ok := left.(*ast.Ident); ok {
				before, known := quoted[id.Name]
				quoted[id.Name] = (before || !known) && w.safe(a.Rhs[i])
			}
		}
		return true
	})
	return quoted
}

// safe reports whether an expression is quoted, or a word of the source.
func (w *words) safe(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return w.constants[e.Name] || w.quoted[e.Name]
	case *ast.SelectorExpr:
		_, own := ownWords()[written(e)]
		return own
	case *ast.BinaryExpr:
		return w.safe(e.X) && w.safe(e.Y)
	case *ast.CallExpr:
		switch written(e.Fun) {
		case "text.Quote", "text.Command", "strconv.Itoa":
			return true
		case "choose":
			return len(e.Args) == 3 && w.safe(e.Args[1]) && w.safe(e.Args[2])
		}
	}
	return false
}

func (w *words) check(e ast.Expr, command string) {
	w.commands++
	if !w.safe(e) {
		w.found = append(w.found, fmt.Sprintf("%s: a word of the command %q is not quoted: use text.Quote or text.Command",
			w.set.Position(e.Pos()), command))
	}
}

// call checks the arguments of a format that fill words of a command.
func (w *words) call(call *ast.CallExpr) {
	for i, arg := range call.Args {
		format, ok := folded(arg)
		if !ok || !strings.Contains(format, "%") {
			continue
		}
		args := call.Args[i+1:]
		for n, at := range verbs(format) {
			if n >= len(args) {
				break
			}
			command, inside := commandAt(format[:at.pos])
			if inside && strings.ContainsRune("sqv", rune(at.verb)) {
				w.check(args[n], command)
			}
		}
	}
}

// sum checks the parts of a + b + c that follow the beginning of a command.
func (w *words) sum(sum *ast.BinaryExpr, inner map[ast.Expr]bool) {
	text := ""
	for _, part := range parts(sum, inner) {
		if piece, ok := folded(part); ok {
			text += piece
			continue
		}
		if command, inside := commandAt(text); inside {
			w.check(part, command)
		}
		text += "x"
	}
}

func parts(e ast.Expr, inner map[ast.Expr]bool) []ast.Expr {
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == token.ADD {
		inner[b] = true
		return append(parts(b.X, inner), parts(b.Y, inner)...)
	}
	return []ast.Expr{e}
}

// folded is the text of a literal, or of a sum of literals.
func folded(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, okX := folded(e.X)
		y, okY := folded(e.Y)
		return x + y, okX && okY && e.Op == token.ADD
	case *ast.ParenExpr:
		return folded(e.X)
	}
	return "", false
}

// place is where a verb of a format is.
type place struct {
	pos  int
	verb byte
}

func verbs(format string) []place {
	var all []place
	for _, m := range regexp.MustCompile(`%[-+# 0]*[0-9]*(?:\.[0-9]+)?[a-zA-Z%]`).FindAllStringIndex(format, -1) {
		if verb := format[m[1]-1]; verb != '%' {
			all = append(all, place{m[0], verb})
		}
	}
	return all
}

// commandAt returns the command that has begun and not ended at the end of a
// text. A command ends with its line, at a semicolon, at a closing parenthesis,
// at a comma or colon before a space, and at the quote that it is in.
func commandAt(text string) (command string, inside bool) {
	begins := regexp.MustCompile(`(^|[^A-Za-z0-9-])((?:kubectl|helm|systemctl|crictl|etcdctl|journalctl|ssh|lifecycle-node) |` +
		`kubeadm (?:join|reset|init|token|certs|config|upgrade|$))`)
	// The program's name in a sentence is none: "kubectl lifecycle could not …".
	prose := regexp.MustCompile(`^kubectl lifecycle (?:could|join by|move of) `)
	all := begins.FindAllStringSubmatchIndex(text, -1)
	for _, m := range slices.Backward(all) {
		rest := text[m[4]:]
		if prose.MatchString(rest) {
			continue
		}
		if quote := text[max(m[4]-1, 0)]; quote == '\'' && m[4] > 0 && strings.Contains(rest, "'") {
			return "", false
		}
		return rest, !strings.ContainsAny(rest, ";\n)") && !strings.Contains(rest, ", ") && !strings.Contains(rest, ": ")
	}
	return "", false
}

func TestAWordThatIsNotQuotedIsFound(t *testing.T) {
	cases := map[string]struct {
		body string
		want int
	}{
		"a quoted word":                         {`plan.Hint(err, "see: kubectl describe node %s", text.Quote(name))`, 0},
		"a bare word":                           {`plan.Hint(err, "see: kubectl describe node %s", name)`, 1},
		"a word in a refusal":                   {`plan.Refuse(err, "wait: kubectl lifecycle runs follow %s; then again", r.Node)`, 1},
		"what comes after the command":          {`plan.Refuse(err, "(kubectl lifecycle remove %s), then join to %s", text.Quote(a), b)`, 0},
		"what comes before it":                  {`plan.Refuse(err, "%s is there: kubectl get %s", a, text.Quote(b))`, 0},
		"a number":                              {`fmt.Sprintf("kubectl scale x --replicas=%d", n)`, 0},
		"quotes of one's own":                   {`fmt.Sprintf("kubectl get pods -l '%s'", selector)`, 1},
		"Go's quotes are not a shell's":         {`fmt.Sprintf("helm get values %q", name)`, 1},
		"a sum":                                 {`x("kubectl -n " + namespace + " get pods")`, 1},
		"a sum with a quoted word":              {`x("kubectl -n " + text.Quote(namespace) + " get pods")`, 0},
		"the second word of a sum":              {`x("kubectl -n " + text.Quote(namespace) + " get " + kind)`, 1},
		"a format in pieces":                    {`c.Say("  ssh root@%s "+"kubeadm reset", host)`, 1},
		"a variable that is quoted":             {`list := text.Command(a, b); x(fmt.Sprintf("kubectl drain %s", list))`, 0},
		"a variable that may be something else": {`list := text.Quote(a); list = b; x(fmt.Sprintf("kubectl drain %s", list))`, 1},
		"a constant":                            {`fmt.Sprintf("systemctl status %s", unitName)`, 0},
		"an error that names a program":         {`fmt.Errorf("kubeadm join: %w: %s", err, out)`, 0},
		"a program in a sentence":               {`c.Say("the host needs kubeadm and kubelet of %s", version)`, 0},
		"a command in quotes, and a word after": {`plan.Hint(err, "'kubectl lifecycle runs' lists it as %s", name)`, 0},
		"a program's unit":                      {`plan.Hint(err, "try systemctl restart %s", unit)`, 1},
		"etcd's":                                {`c.Say("etcdctl member remove %v", id)`, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, "a.go", "package a\nfunc f() {\n"+c.body+"\n}", parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if _, got := unquoted(set, file, map[string]bool{"unitName": true}); len(got) != c.want {
				t.Errorf("%d findings, want %d: %v", len(got), c.want, got)
			}
		})
	}
}
