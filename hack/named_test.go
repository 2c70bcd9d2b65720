// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// foreignFlags are those of other programs that texts name, by program.
func foreignFlags() []string {
	return strings.Fields(`
		kubectl: --as --list --docker-password --docker-server --docker-username --field-selector --prune --raw --replicas --show-labels
			--show-managed-fields --type
		kubeadm: --certificate-key --cri-socket --discovery-token-ca-cert-hash --old-config --pod-network-cidr --token --upload-certs
		kube-controller-manager: --allocate-node-cidrs --cluster-cidr --cluster-signing-cert-file --cluster-signing-key-file --controllers
			--node-cidr-mask-size
		kube-apiserver: --authentication-config --enable-admission-plugins --enable-bootstrap-token-auth
		kubelet: --cloud-provider --cluster-dns --cluster-domain --container-runtime-endpoint --hostname-override --node-ip --node-labels
			--pod-cidr --provider-id --register-with-taints --resolv-conf --root-dir --rotate-certificates --rotate-server-certificates
		flannel: --iface --ip-masq --kube-subnet-mgr
		lifecycle-node: --joined
		systemctl: --now
		du: --inodes
		ld.so: --inhibit-cache --library-path
		sha256sum: --status
		helm: --all
		kubectl: --previous
		etcdctl: --cacert --cert --key
		dpkg: --configure
		apt-get: --simulate
		kube-proxy: --cleanup`)
}

// proseAfterName are words that follow the plugin's name in a sentence, and are no commands.
func proseAfterName() []string {
	return []string{"changes", "could", "drains", "leaves", "puts", "renews", "works"}
}

// commandTree has each command of the plugin, as "cni install", with its flags.
type commandTree map[string]map[string]bool

// readTree reads the commands and their flags from the help texts.
func readTree(t *testing.T, plugin string) commandTree {
	t.Helper()
	tree := commandTree{}
	flags := regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z][a-z-]*)`)
	global, _ := run(t, plugin, []string{"options"})
	add := func(words []string, help string) {
		name := strings.Join(words, " ")
		if tree[name] == nil {
			tree[name] = map[string]bool{"--help": true}
		}
		for _, flag := range flags.FindAllStringSubmatch(global+help, -1) {
			tree[name][flag[1]] = true
		}
	}
	add(nil, "")
	add([]string{"options"}, "")
	add([]string{"help"}, "")
	for _, words := range allCommands(t, plugin, nil) {
		help, _ := run(t, plugin, append(slices.Clone(words), "--help"))
		for n := range words {
			add(words[:n], "") // those above it
		}
		add(words, help)
	}
	return tree
}

// wrong says what a text names that there is not: a command, or a flag of a command.
func (tree commandTree) wrong(text string) (faults []string) {
	for _, rest := range strings.Split(text, tool+" ")[1:] {
		rest = regexp.MustCompile("[\n;`'\"()|>#⏎]").Split(rest, 2)[0]
		name := ""
		for i, word := range strings.Fields(rest) {
			if word == "--" {
				break // another program's command follows
			}
			bare := strings.TrimRight(word, ".,:")
			flag, _, _ := strings.Cut(bare, "=")
			deeper := strings.TrimSpace(name + " " + bare)
			switch {
			case tree[deeper] != nil:
				name = deeper
			case strings.HasPrefix(flag, "--") && !tree[name][flag]:
				faults = append(faults, tool+" "+name+" has no flag "+flag)
			case i == 0 && regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(bare) && !slices.Contains(proseAfterName(), bare):
				faults = append(faults, "there is no command "+tool+" "+bare)
			}
			if bare != word {
				break // a sentence goes on
			}
		}
	}
	return faults
}

// everyFlag are the flags of all commands, and of the other programs that are named.
func (tree commandTree) everyFlag() map[string]bool {
	all := map[string]bool{}
	for _, flags := range tree {
		maps.Copy(all, flags)
	}
	for _, flag := range foreignFlags() {
		all[flag] = true
	}
	return all
}

// namedExists checks every command and every flag that a message, a hint, a help text or a
// document names. A reader who types what is not there is lost.
func namedExists(t *testing.T, plugin string) {
	t.Helper()
	tree := readTree(t, plugin)
	if len(tree) < 35 || len(tree["cni install"]) < 20 {
		t.Fatalf("only %d commands were read, cni install with %d flags", len(tree), len(tree["cni install"]))
	}
	known, seen := tree.everyFlag(), 0
	check := func(where, text string) {
		for _, fault := range tree.wrong(text) {
			t.Errorf("%s: %s", where, fault)
		}
		for _, flag := range regexp.MustCompile(`(?:^|[\s'"(=])(--[a-z][a-z-]+[a-z])`).FindAllStringSubmatch(text, -1) {
			if seen++; !known[flag[1]] {
				t.Errorf("%s: no command has the flag %s", where, flag[1])
			}
		}
	}
	eachSource(t, []string{"../cmd/kubectl-lifecycle", "../pkg"}, func(_ string, set *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(node ast.Node) bool {
			if call, is := node.(*ast.CallExpr); is {
				check(set.Position(call.Pos()).String(), commandOf(call))
			}
			expr, is := node.(ast.Expr)
			if !is {
				return true
			}
			text, whole := folded(expr)
			if whole && strings.Contains(text, " ") { // a word alone is an argument of a program
				check(set.Position(expr.Pos()).String(), text)
			}
			return !whole
		})
	})
	for _, page := range documents(t) {
		for _, piece := range code(read(t, page)) {
			for _, fault := range tree.wrong(piece) {
				t.Errorf("%s: %s", page, fault)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d flags were seen: the test does not find them any more", seen)
	}
}

// commandOf is the command that a call of text.Command makes, with X for each word that is
// not in the source; empty for any other call.
func commandOf(call *ast.CallExpr) string {
	if f, is := call.Fun.(*ast.SelectorExpr); !is || f.Sel.Name != "Command" || !isIdent(f.X, "text") {
		return ""
	}
	var words []string
	for _, arg := range call.Args {
		word, literal := folded(arg)
		if !literal {
			word = "X"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestWhatIsNotThereIsFoundInATextThatNamesIt(t *testing.T) {
	tree := commandTree{"": {"--context": true}, "cni": {"--context": true}, "cni install": {"--context": true, "--set": true}}
	for text, want := range map[string]string{
		"run: kubectl lifecycle cni install flannel --set a=b, then wait": "",
		"kubectl lifecycle cni install NAME --values x":                   tool + " cni install has no flag --values",
		"see 'kubectl lifecycle uninstall'":                               "there is no command " + tool + " uninstall",
		"kubectl lifecycle changes the host; --frob":                      "",
		"kubectl lifecycle cni install. --frob is another's":              "",
		"kubectl lifecycle --context x":                                   "",
		"kubectl lifecycle --contex x":                                    tool + "  has no flag --contex",
		"kubectl lifecycle cni install a⏎kubectl lifecycle cni --set":     tool + " cni has no flag --set",
		"kubectl lifecycle cni install x; kubectl lifecycle frob (twice)": "there is no command " + tool + " frob",
	} {
		if got := strings.Join(tree.wrong(text), "; "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
