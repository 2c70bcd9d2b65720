// SPDX-License-Identifier: Apache-2.0

package joinscript

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net"
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

// certificate is something in PEM.
func certificate(name string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(strings.Repeat(name, 60))}))
}

func input() Input {
	return Input{
		Cluster: join.Cluster{Endpoint: "api.example.com:6443", CA: certificate("one"), Pins: []string{"sha256:1"}, KubernetesVersion: "v1.36.3"},
		Token:   bootstrap.Placeholder(), Options: join.CommandOptions{NodeName: "w1", CRISocket: "/run/c.sock"},
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
		Discovery struct{ BootstrapToken struct{ Token string } }
	}
	err := json.Unmarshal([]byte(`{"`+config), &parsed)
	if err != nil || parsed.Discovery.BootstrapToken.Token != bootstrap.Placeholder().Whole() {
		t.Errorf("%+v, %v", parsed, err)
	}
	if n := strings.Count(script, bootstrap.Placeholder().Whole()); n != 1 {
		t.Errorf("the token is there %d times", n)
	}
}

func TestAScriptHoldsNoKeyToTheCertificates(t *testing.T) {
	in := input()
	in.Options.CertificateKey = "hush"
	for name, made := range map[string]func(Input) (string, error){"the script": Shell, "user data": CloudInit} {
		if out, err := made(in); err == nil || strings.Contains(out+err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAScriptTellsWhoseNodeAHostIs runs the part of the script before its first change.
func TestAScriptTellsWhoseNodeAHostIs(t *testing.T) {
	base64Of := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	conf := func(server, authority string) string {
		return "apiVersion: v1\nclusters:\n- cluster:\n    " + authority + "\n    server: https://" + server + "\n  name: default-cluster\n"
	}
	one, two := certificate("one"), certificate("two")
	data := "certificate-authority-data: "
	const client, kubelet = "/var/lib/kubelet/pki/kubelet-client-current.pem", "/etc/kubernetes/kubelet.conf"
	const inFile = "certificate-authority: DIR/etc/kubernetes/pki/ca.crt"
	const node, other, half = "there is nothing to do", "a node of another cluster", "was begun and not finished"
	for name, tc := range map[string]struct {
		bundle string // of the cluster that the script is for
		files  map[string]string
		want   string
	}{
		"a host of no cluster goes on": {one, nil, "goes on"},
		"a node of the cluster":        {one, map[string]string{client: "x", kubelet: conf("api.example.com:6443", data+base64Of(one))}, node},
		"a control plane of it, which has its own address": {one,
			map[string]string{client: "x", kubelet: conf("10.0.0.1:6443", data+base64Of(one))}, node},
		"a node whose authority is in a file": {one,
			map[string]string{client: "x", kubelet: conf("a:1", inFile), "/etc/kubernetes/pki/ca.crt": one}, node},
		"a node from before an authority was added": {two + one,
			map[string]string{client: "x", kubelet: conf("a:1", data+base64Of(one))}, node},
		"a node that has both authorities": {two + one, map[string]string{client: "x", kubelet: conf("a:1", data+base64Of(two+one))}, node},
		"a cluster of the same name that was made again": {one,
			map[string]string{client: "x", kubelet: conf("api.example.com:6443", data+base64Of(two))}, other},
		"a file with the authority of another one": {one,
			map[string]string{client: "x", kubelet: conf("a:1", inFile), "/etc/kubernetes/pki/ca.crt": two}, other},
		"an authority that only begins so":    {one, map[string]string{client: "x", kubelet: conf("a:1", data+base64Of(one)+"AAAA")}, other},
		"a kubelet.conf without an authority": {one, map[string]string{client: "x", kubelet: "x"}, other},
		"a cluster without an authority":      {"", map[string]string{client: "x", kubelet: "x"}, other},
		"a node without a certificate":        {one, map[string]string{kubelet: conf("a:1", data+base64Of(one))}, "was, a node: "},
		"a join that the kubelet left":        {one, map[string]string{"/etc/kubernetes/bootstrap-kubelet.conf": "x"}, half},
		"a join that kubeadm left":            {one, map[string]string{"/etc/kubernetes/pki/ca.crt": one}, half},
		"a control plane that was":            {one, map[string]string{"/etc/kubernetes/admin.conf": "x"}, "was, a control plane"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, content := range tc.files {
				path = filepath.Join(dir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(strings.ReplaceAll(content, "DIR", dir)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			in := input()
			in.Cluster.CA = tc.bundle
			script, _, is := strings.Cut(shell(t, in), "# PREP100")
			if !is || strings.Contains(script, "write_if_absent \"") {
				t.Fatal("the part before the first change was not found")
			}
			script = strings.ReplaceAll(strings.ReplaceAll(script, "/etc/kubernetes", dir+"/etc/kubernetes"), "/var/lib/", dir+"/var/lib/")
			script = strings.ReplaceAll(script, `"$(id -u)" -eq 0`, "0 -eq 0") + "say goes on\n"
			out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
			if !strings.Contains(string(out), tc.want) || (err == nil) != (tc.want == node || tc.want == "goes on") {
				t.Errorf("%s, %v", out, err)
			}
		})
	}
}

// TestAScriptAsksForTheRuntimeThatItIsToldOf: two may be installed.
func TestAScriptAsksForTheRuntimeThatItIsToldOf(t *testing.T) {
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "there.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	for socket, want := range map[string]string{
		"unix://" + dir + "/there.sock": "goes on", dir + "/there.sock": "goes on",
		"unix://" + dir + "/none.sock": "listens on " + dir + "/none.sock",
	} {
		in := input()
		in.Options.CRISocket = socket
		_, part, is := strings.Cut(shell(t, in), "# PREP040-runtime")
		part, _, ends := strings.Cut(part, "# PREP010")
		if !is || !ends {
			t.Fatal("the part was not found")
		}
		head, _, _ := strings.Cut(shell(t, in), "# Only a file")
		out, _ := exec.CommandContext(t.Context(), "sh", "-c", head+part+"say goes on\n").CombinedOutput()
		if !strings.Contains(string(out), want) {
			t.Errorf("%s: %s", socket, out)
		}
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
