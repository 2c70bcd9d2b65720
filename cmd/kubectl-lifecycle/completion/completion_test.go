// SPDX-License-Identifier: Apache-2.0

package completion

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestWorkersComeFirstAndNoWordIsAShells(t *testing.T) {
	item := func(name, label string) metav1.PartialObjectMetadata {
		return metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{label: ""}}}
	}
	items := []metav1.PartialObjectMetadata{
		item("cp-1", "node-role.kubernetes.io/control-plane"), item("w-2", "x"), item("w-1", "x"),
		item("a\tb", "x"), item("$(reboot)", "x"), item("w\nw", "x"), item("", "x"), item("cp-0", "node-role.kubernetes.io/master"),
	}
	if got, want := nodeWords(items, true), []string{"w-1", "w-2", "cp-0\tcontrol plane", "cp-1\tcontrol plane"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := nodeWords(items, false), []string{"w-1", "w-2"}; !slices.Equal(got, want) {
		t.Errorf("workers: got %q, want %q", got, want)
	}
}

// from is an environment whose cluster is a server of the test.
func from(t *testing.T, server string) *env.Env {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	config := `{"apiVersion":"v1","kind":"Config","current-context":"b","clusters":[{"name":"x","cluster":{"server":"` + server + `"}}],
"contexts":[{"name":"b","context":{"cluster":"x","user":"x"}},{"name":"a","context":{"cluster":"x","user":"x"}}],"users":[{"name":"x","user":{}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
	return env.New(genericiooptions.NewTestIOStreamsDiscard(), "test")
}

// A shell waits while the cluster is asked: one that does not answer soon, or forbids,
// completes nothing, and no word of it gets to the shell.
func TestAClusterThatDoesNotAnswerCompletesNothing(t *testing.T) {
	release := make(chan struct{})
	for name, answer := range map[string]http.HandlerFunc{
		"silent": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		},
		"forbidden": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		"garbage":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("\x00{")) },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			e := from(t, server.URL)
			for what, of := range map[string]source{"nodes": nodes, "workers": workers, "runs": runs, "tokens": tokens} {
				if got := of(e); len(got) > 0 {
					t.Errorf("%s: %q", what, got)
				}
			}
		})
	}
	close(release)
}

func TestNamesOfNodesAreAskedForAndNothingElse(t *testing.T) {
	var accepts []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accepts = append(accepts, r.URL.Path+" "+r.Header.Get("Accept"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{},"items":[` +
			`{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"w1"}}]}`))
	}))
	defer server.Close()
	// However long it takes: on a slow machine that is longer than a shell waits.
	if got, err := listNodes(from(t, server.URL), true)(t.Context()); err != nil || !slices.Equal(got, []string{"w1"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if len(accepts) != 1 || !strings.HasPrefix(accepts[0], "/api/v1/nodes ") || !strings.Contains(accepts[0], "PartialObjectMetadataList") {
		t.Errorf("asked: %q", accepts)
	}
}

func TestArgumentsAndFlags(t *testing.T) {
	e := from(t, "https://127.0.0.1:1")
	root := &cobra.Command{Use: "kubectl-lifecycle"}
	cni, install := &cobra.Command{Use: "cni"}, &cobra.Command{Use: "install NAME", Run: func(*cobra.Command, []string) {}}
	other := &cobra.Command{Use: "version", Run: func(*cobra.Command, []string) {}}
	root.PersistentFlags().String("context", "", "")
	install.Flags().StringP("output", "o", "", "Output format: table, "+view.Machine)
	cni.AddCommand(install)
	root.AddCommand(cni, other)
	Attach(root, e)
	words, directive := install.ValidArgsFunction(install, nil, "")
	if !slices.Contains(words, "flannel") || directive&cobra.ShellCompDirectiveNoFileComp == 0 {
		t.Errorf("networks: %q, directive %d", words, directive)
	}
	if words, _ := install.ValidArgsFunction(install, []string{"flannel"}, ""); len(words) > 0 {
		t.Errorf("a second network: %q", words)
	}
	if _, directive := other.ValidArgsFunction(other, nil, ""); directive != cobra.ShellCompDirectiveNoFileComp {
		t.Errorf("a command without arguments completes files: %d", directive)
	}
	for flag, want := range map[string][]string{
		"output": {"table", "json", "yaml", "kyaml", "jsonpath=", "go-template=", "custom-columns="}, "context": {"a", "b"}} {
		complete, known := install.GetFlagCompletionFunc(flag)
		if !known {
			t.Errorf("--%s completes nothing", flag)
			continue
		}
		if got, _ := complete(install, nil, ""); !slices.Equal(got, want) {
			t.Errorf("--%s: %q, want %q", flag, got, want)
		}
	}
}

func TestAWordThatIsThereIsNotCompletedAgain(t *testing.T) {
	complete := argumentsOf(nil, place{words: words("a", "b\tcontrol plane", "c")})
	if got, _ := complete(nil, []string{"b"}, ""); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("got %q", got)
	}
}

func TestTheCompleterIsInstalledOnceAndNothingIsReplaced(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there it is a script")
	}
	ours := linkOf(env.Lifecycle)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ours.plugin), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for i, want := range []bool{true, false} {
		path, made, err := ours.install("")
		if err != nil || made != want || filepath.Base(path) != ours.completer {
			t.Errorf("time %d: %s, made %t, %v", i+1, path, made, err)
		}
	}
	if target, err := os.Readlink(filepath.Join(dir, ours.completer)); err != nil || target != ours.plugin {
		t.Errorf("it points to %q, %v", target, err)
	}
	for i, want := range []bool{true, false} {
		if _, gone, err := ours.uninstall(""); err != nil || gone != want {
			t.Errorf("time %d: gone %t, %v", i+1, gone, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ours.completer), []byte("another's"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(string) (string, bool, error){"install": ours.install, "uninstall": ours.uninstall} {
		if _, _, err := do(dir); plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
			t.Errorf("%s over a file of another: %v", name, err)
		}
	}
	if raw, err := os.ReadFile(filepath.Join(dir, ours.completer)); err != nil || string(raw) != "another's" {
		t.Errorf("the file of another is %q, %v", raw, err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, _, err := ours.install(""); plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "--dir") {
		t.Errorf("not on the PATH: %v", err)
	}
}

func TestTheCompletersNameIsARequest(t *testing.T) {
	for name, want := range map[string][]string{
		"/usr/bin/kubectl_complete-lifecycle": {"__complete", "drain", ""}, "kubectl_complete-lifecycle.exe": {"__complete", "drain", ""},
		"kubectl-lifecycle":                  {"drain", ""},
		"/x/kubectl_complete-node_lifecycle": {"__complete", "drain", ""}, "kubectl-node_lifecycle": {"drain", ""},
	} {
		if tool, got := Asked(name, []string{"drain", ""}); !slices.Equal(got, want) ||
			(tool == env.NodeLifecycle) != strings.Contains(name, "node") {
			t.Errorf("%s: %q of %s, want %q", name, got, tool, want)
		}
	}
}
