// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// put writes a file of the host.
func put(t *testing.T, dir, path, content string) {
	t.Helper()
	path = filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// unitOf is a host whose kubelet is in some state, and what was done to it.
func unitOf(dir, state string, during func(verb string), did *[]string) host.Local {
	return host.Local{Root: dir, Exec: func(_ context.Context, c host.Command) (string, error) {
		if c.Args[0] == "show" {
			return "LoadState=loaded\nActiveState=" + state + "\n", nil
		}
		*did = append(*did, c.Args[0])
		state = map[string]string{"stop": "inactive", "start": "active"}[c.Args[0]]
		during(c.Args[0])
		return "", nil
	}}
}

// In whatever state the kubelet's unit is, what it has on the disk decides.
func TestAKubeletThatCrashesOrHasYetToStartIsANodeAllTheSame(t *testing.T) {
	theirs := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: otherCertificate(t)}))
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	others := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	conf := func(ca, endpoint string) string {
		return "clusters:\n- cluster:\n    certificate-authority-data: " + base64.StdEncoding.EncodeToString([]byte(ca)) +
			"\n    server: https://" + endpoint +
			"\nusers:\n- user:\n    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n"
	}
	const kubeletConf, bootstrap, cert = "/etc/kubernetes/kubelet.conf", "/etc/kubernetes/bootstrap-kubelet.conf",
		"/var/lib/kubelet/pki/kubelet-client-current.pem"
	for name, tc := range map[string]struct {
		files map[string]string
		late  map[string]string // what the kubelet still writes while it is stopped
		past  Past
		want  Standing
		did   string
	}{
		"a node": {map[string]string{kubeletConf: conf(theirs, "api:6443"), cert: theirs}, nil,
			Past{Cleaned: true}, Arrived, ""},
		"a node, says the note alone": {nil, nil, Past{Cleaned: true, Joined: true}, Arrived, ""},
		"a node, whose CA is in a file": {map[string]string{kubeletConf: strings.ReplaceAll(conf("", "api:6443"),
			"certificate-authority-data: ", "certificate-authority: /ca"), "/ca": others +
			theirs, cert: theirs}, nil, Past{Cleaned: true}, Arrived, ""},
		"nothing":           {nil, nil, Past{Cleaned: true}, Apart, ""},
		"the old cluster's": {map[string]string{kubeletConf: conf(others, "old:6443"), cert: others}, nil, Past{}, Apart, ""},
		"a third cluster's": {map[string]string{kubeletConf: conf(others, "third:6443"), cert: others}, nil,
			Past{Cleaned: true}, Elsewhere, ""},
		"not let in yet": {map[string]string{bootstrap: conf(theirs, "api:6443")}, nil, Past{Cleaned: true}, Apart, "stop"},
		"let in at the very last moment": {map[string]string{bootstrap: conf(theirs, "api:6443")},
			map[string]string{kubeletConf: conf(theirs, "api:6443"), cert: theirs}, Past{Cleaned: true}, Arrived, "stop start"},
		"the certificate came at the moment": {map[string]string{kubeletConf: conf(theirs, "api:6443")}, map[string]string{cert: theirs},
			Past{Cleaned: true}, Arrived, "stop start"},
	} {
		for _, state := range []string{"active", "activating", "failed", "inactive", "deactivating"} {
			dir, did := t.TempDir(), []string{}
			for path, content := range tc.files {
				put(t, dir, path, content)
			}
			j := Join{Endpoint: "api:6443", CA: theirs, Host: unitOf(dir, state, func(verb string) {
				for path, content := range tc.late {
					if verb == "stop" {
						put(t, dir, path, content)
					}
				}
			}, &did)}
			got, err := j.Settle(t.Context(), tc.past)
			running := state != "failed" && state != "inactive"
			if !running && tc.late != nil {
				continue // nothing writes anything there
			}
			want := tc.did
			switch {
			case !running && tc.want == Arrived:
				want = "start"
			case !running:
				want = ""
			}
			if err != nil || got != tc.want || strings.Join(did, " ") != want {
				t.Errorf("%s, its kubelet %s: %v, %v; did %v, want %v, %q", name, state, got, err, did, tc.want, want)
			}
		}
	}
}

func TestAKubeletConfThatIsNoFileIsNotReadForEver(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "etc/kubernetes/kubelet.conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	did := []string{}
	j := Join{Host: unitOf(dir, "active", func(string) {}, &did)}
	if _, err := j.Settle(t.Context(), Past{Cleaned: true}); err == nil || len(did) > 0 {
		t.Errorf("error %v, did %v", err, did)
	}
}
