// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// command runs the program with arguments and returns what it wrote.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	code = run(t.Context(), streams, args)
	return code, out.String(), errOut.String()
}

// nowhere is a kubeconfig whose API server is a closed port of this machine.
func nowhere(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	config := `{"apiVersion":"v1","kind":"Config","current-context":"x",
"clusters":[{"name":"x","cluster":{"server":"https://127.0.0.1:1"}}],
"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],"users":[{"name":"x","user":{}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryErrorHasItsExitCodeAndItsWayOut(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	closed := nowhere(t)
	cases := map[string]struct {
		args      []string
		code      int
		says, way string
	}{
		"an unknown command, asked for help": {[]string{"drian", "--help"}, 2, `unknown command "drian"`, "--help"},
		"an unknown command":                 {[]string{"frobnicate"}, 2, `unknown command "frobnicate"`, "--help"},
		"an unknown flag": {[]string{"remove", "w", "--frobnicate"}, 2, "unknown flag: --frobnicate",
			"kubectl lifecycle remove --help"},
		"a missing argument": {[]string{"remove"}, 2, "no node given", "kubectl lifecycle remove --help"},
		"an unknown output format": {[]string{"inspect", "w", "-o", "xml"}, 2, `unknown output format "xml"`,
			"--output takes table, wide, json, yaml, kyaml, jsonpath=TEMPLATE, go-template=TEMPLATE or custom-columns=SPEC"},
		"a broken template": {[]string{"inspect", "w", "-o", "jsonpath={"}, 2, "--output: unclosed action",
			"https://kubernetes.io/docs/reference/kubectl/jsonpath"},
		"an unknown kind of dry run": {[]string{"remove", "w", "--dry-run=maybe"}, 2, "--dry-run must be none, client or server",
			"--dry-run alone means client"},
		"no kubeconfig": {[]string{"inspect", "w"}, 4, "there is no kubeconfig: no cluster is named anywhere",
			"--kubeconfig FILE"},
		"an API server that is not there": {[]string{"inspect", "w", "--kubeconfig", closed}, 4, "connection refused", "kubectl cluster-info"},
		"a removal without an API server": {[]string{"remove", "w", "--yes", "--kubeconfig", closed}, 4, "connection refused",
			"kubectl cluster-info"},
		"a list of runs without a cluster": {[]string{"runs", "--kubeconfig", closed}, 4, "connection refused", "kubectl cluster-info"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := command(t, c.args...)
			if code != c.code || out != "" {
				t.Errorf("exit code %d, want %d; stdout %q", code, c.code, out)
			}
			if c.says == "" || c.way == "" {
				t.Fatal("a case without an expectation proves nothing")
			}
			if !strings.Contains(errOut, c.says) || !strings.Contains(errOut, c.way) {
				t.Errorf("stderr %q, want %q and the way out %q", errOut, c.says, c.way)
			}
		})
	}
}

func TestVersionPrintsItselfInEveryFormat(t *testing.T) {
	for format, want := range map[string]string{
		"": "kubectl lifecycle dev\n", "json": `"version": "dev"`, "yaml": "version: dev\n", "jsonpath={.version}": "dev\n",
		"kyaml": `version: "dev",`, "go-template={{.kind}} {{.version}}": "Version dev", "custom-columns=V:.version,K:.kind": "V     K\ndev   Version\n",
	} {
		code, out, errOut := command(t, "version", "-o", format)
		if code != 0 || !strings.Contains(out, want) || errOut != "" {
			t.Errorf("%q: code %d, stdout %q, stderr %q", format, code, out, errOut)
		}
	}
}

func TestAnInterruptionIsExitCode130(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	if code := run(ctx, streams, []string{"inspect", "w", "--kubeconfig", nowhere(t)}); code != int(plan.Interrupted) {
		t.Errorf("exit code %d", code)
	}
	if got := plan.ClassOf(errors.Join(errors.New("x"), context.Canceled)); got != plan.Interrupted {
		t.Errorf("class %d", got)
	}
}

// What the help lists is there, and so is what kubectl asks for a shell.
func TestEveryCommandThatIsListedCanBeCalled(t *testing.T) {
	t.Setenv("KUBECONFIG", nowhere(t))
	code, help, _ := command(t, "--help")
	if code != 0 || strings.Contains(help, "--kubeconfig") || !strings.Contains(help, "kubectl lifecycle options") {
		t.Errorf("code %d; the help has the global flags, or does not say where they are:\n%s", code, help)
	}
	for _, c := range [][]string{{"help"}, {"help", "drain"}, {"options"}, {"completion"}, {"version"}, {"cni"}, {"__complete", "dra"}} {
		if code, out, errOut := command(t, c...); code != 0 || out == "" {
			t.Errorf("%v: code %d, stdout %q, stderr %q", c, code, out, errOut)
		}
	}
	if _, out, _ := command(t, "options"); !strings.Contains(out, "--kubeconfig") || !strings.Contains(out, "--color") {
		t.Errorf("options: %s", out)
	}
	if _, out, _ := command(t, "__complete", "dra"); !strings.HasPrefix(out, "drain\t") {
		t.Errorf("completion: %q", out)
	}
}

// Called by its name alone, the program says what it can: with no cluster, why there is
// none.
func TestTheNameAloneShowsWhatIsNext(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for path, want := range map[string]string{nowhere(t): "connection refused", filepath.Join(t.TempDir(), "none"): "there is no kubeconfig"} {
		t.Setenv("KUBECONFIG", path)
		code, out, errOut := command(t)
		if code != 0 || !strings.Contains(out, "──▶ join ──▶") || !strings.Contains(out, "kubectl lifecycle --help") ||
			!strings.Contains(errOut, want) {
			t.Errorf("code %d, stdout %q, stderr %q", code, out, errOut)
		}
	}
}
