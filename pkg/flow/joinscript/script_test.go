// SPDX-License-Identifier: Apache-2.0

package joinscript

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

func input() Input {
	return Input{
		Cluster: join.Cluster{Endpoint: "api.example.com:6443", Pins: []string{"sha256:1"}, KubernetesVersion: "v1.36.3"},
		Token:   bootstrap.Placeholder(), Options: join.CommandOptions{NodeName: "w1", CRISocket: "/run/c.sock", CertificateKey: "KEY"},
		Wanted: prep.Wanted{ProxyMode: "ipvs", IPv6: true},
	}
}

func shell(t *testing.T, in Input) string {
	t.Helper()
	script, err := Shell(in)
	if err != nil {
		t.Fatal(err)
	}
	return script
}

func TestAScriptHoldsWhatAJoinNeeds(t *testing.T) {
	script := shell(t, input())
	for _, want := range []string{"endpoint='api.example.com:6443'", "cluster_minor='36'", "br_netfilter nf_conntrack ip_vs",
		"swap_allowed=''",
		"net.ipv6.conf.all.forwarding = 1", "modules_file='/etc/modules-load.d/99-kubernetes.conf'"} {
		if !strings.Contains(script, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(script, "@") && strings.Contains(strings.ReplaceAll(script, "$@", ""), "@ENDPOINT@") {
		t.Error("something was not put in")
	}
	_, config, _ := strings.Cut(script, "cat <<'END'\n\"")
	config, _, _ = strings.Cut(config, "\nEND\n")
	var parsed struct {
		Discovery    struct{ BootstrapToken struct{ Token string } }
		ControlPlane struct{ CertificateKey string }
	}
	err := json.Unmarshal([]byte(`{"`+config), &parsed)
	if err != nil || parsed.Discovery.BootstrapToken.Token != bootstrap.Placeholder().Whole() ||
		parsed.ControlPlane.CertificateKey != "KEY" {
		t.Errorf("%+v, %v", parsed, err)
	}
	if n := strings.Count(script, bootstrap.Placeholder().Whole()); n != 1 {
		t.Errorf("the token is there %d times", n)
	}
}

// TestAScriptNamesChecksThatThereAre: a person finds them in docs/prep.md.
func TestAScriptNamesChecksThatThereAre(t *testing.T) {
	for _, word := range strings.FieldsFunc(template, func(r rune) bool { return strings.ContainsRune(" \t\n:\",", r) }) {
		if strings.HasPrefix(word, "PREP") && !slices.Contains(prep.IDs(), word) {
			t.Errorf("%s is no check", word)
		}
	}
}

func TestNoClusterPutsACommandIntoAScript(t *testing.T) {
	in := input()
	in.Cluster.Endpoint = "a:6443'; reboot; '"
	if _, err := Shell(in); err == nil {
		t.Error("no error")
	}
	in = input()
	in.Options.NodeName = "x\nEND\nreboot"
	if script := shell(t, in); strings.Contains(script, "\nreboot") {
		t.Error("a name has become a command")
	}
}

// TestAShellUnderstandsTheScript: each of those that a host may have.
func TestAShellUnderstandsTheScript(t *testing.T) {
	path := filepath.Join(t.TempDir(), "join.sh")
	if err := os.WriteFile(path, []byte(shell(t, input())), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, check := range [][]string{{"sh", "-n"}, {"bash", "-n"}, {"dash", "-n"}, {"shellcheck", "-s", "sh"}} {
		program, err := exec.LookPath(check[0])
		if err != nil {
			t.Logf("not here: %s", check[0])
			continue
		}
		if out, err := exec.CommandContext(t.Context(), program, append(check[1:], path)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", check[0], err, out)
		}
	}
}

func TestUserDataRunsTheScriptAndDeletesIt(t *testing.T) {
	data, err := CloudInit(input())
	if err != nil || !strings.HasPrefix(data, "#cloud-config\n") {
		t.Fatal(err)
	}
	var parsed struct {
		WriteFiles []struct{ Path, Permissions, Content string } `json:"write_files"`
		Runcmd     [][]string                                    `json:"runcmd"`
	}
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(data, "  owner: root:root\n", "")), &parsed); err != nil {
		t.Fatal(err)
	}
	f := parsed.WriteFiles[0]
	if f.Content != shell(t, input()) || f.Permissions != "0700" || !strings.Contains(parsed.Runcmd[0][2], "rm -f "+f.Path) {
		t.Errorf("%+v", parsed.Runcmd)
	}
}
