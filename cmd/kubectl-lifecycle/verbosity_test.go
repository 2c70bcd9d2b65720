// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/envtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// hostileServer is an API server over HTTP that has one record, written by a
// hostile host, and answers everything else with a hostile error. It returns a
// kubeconfig for it.
func hostileServer(t *testing.T, record map[string]string) string {
	t.Helper()
	secret := corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: runner.NameFor(record[wire.KeyNode]),
			Labels: map[string]string{runner.Label: "remove"}},
		Data: map[string][]byte{},
	}
	for key, value := range record {
		secret.Data[key] = []byte(value)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Warning", `299 - "`+strings.ReplaceAll("FORGED\x1b[2J", "\x1b", "")+`"`)
		var answer any = metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: 500,
			Reason: metav1.StatusReason(envtest.Forged), Message: envtest.Forged}
		code := http.StatusInternalServerError
		switch path := r.URL.Path; {
		case path == "/api/v1/namespaces/kube-system/secrets" && r.URL.Query().Get("watch") == "":
			secret.Name = runner.NameFor(record[wire.KeyNode])
			code, answer = http.StatusOK, corev1.SecretList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"},
				Items: []corev1.Secret{secret}}
		case strings.HasPrefix(path, "/api/v1/namespaces/kube-system/secrets/lifecycle-"):
			code, answer = http.StatusOK, secret
		}
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "config")
	config := `{"apiVersion":"v1","kind":"Config","current-context":"x","clusters":[{"name":"x","cluster":{"server":"` + server.URL + `"}}],
"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],"users":[{"name":"x","user":{"token":"TOKEN-OF-MINE"}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNoLogHoldsABody(t *testing.T) {
	t.Cleanup(func() { _ = logVerbosity(0, io.Discard) })
	const secret = "SECRET-OF-THE-RECORD"
	config := hostileServer(t, map[string]string{wire.KeyNode: "w1", wire.KeyPhase: "working", wire.KeyWho: "FORGED", "token": secret})
	for _, level := range []string{"6", "7", "8", "9", "10", "99"} {
		code, out, errOut := command(t, "runs", "--kubeconfig", config, "-v", level)
		if code != 0 || !strings.Contains(out, "w1") || !strings.Contains(errOut, "GET") {
			t.Errorf("-v %s: code %d, stdout %q, stderr %q", level, code, out, errOut)
		}
		for _, token := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), "TOKEN-OF-MINE"} {
			if strings.Contains(errOut, token) {
				t.Errorf("-v %s logs %s:\n%s", level, token, errOut)
			}
		}
		if told := strings.Contains(errOut, "is treated as -v 7"); told != (len(level) > 1 || level > "7") {
			t.Errorf("-v %s: that it is capped is said: %t", level, told)
		}
		envtest.Harmless(t, "-v "+level, out+errOut)
	}
}

func TestNoRecordAndNoServerWritesALineOfOurs(t *testing.T) {
	t.Cleanup(func() { _ = logVerbosity(0, io.Discard) })
	const forged = envtest.Forged
	event, err := json.Marshal(map[string]any{"seq": 1, "kind": "done", "step": forged, "title": forged, "message": forged})
	if err != nil {
		t.Fatal(err)
	}
	record := func(node, phase string) map[string]string {
		return map[string]string{
			wire.KeyNode: node, wire.KeyPhase: phase, wire.KeyOperation: "node/FORGED removed " + forged, wire.KeyWho: forged,
			wire.KeyError: forged, wire.KeyEvents: string(event) + "\n", wire.KeyOutcome: `{"state":"clean"}`,
		}
	}
	for name, c := range map[string]struct {
		record map[string]string
		args   []string
	}{
		"a list of runs":           {record("w1", "waiting"), []string{"runs"}},
		"of a hostile name":        {record("w1; : > OWNED", "waiting"), []string{"runs"}},
		"in JSON":                  {record("w1", "waiting"), []string{"runs", "-o", "json"}},
		"in YAML":                  {record("w1", "waiting"), []string{"runs", "-o", "yaml"}},
		"a run that waits":         {record("w1", "waiting"), []string{"runs", "follow", "w1"}},
		"a run that has ended":     {record("w1", "finished"), []string{"runs", "follow", "w1"}},
		"a run of another phase":   {record("w1", "FORGED "+forged), []string{"runs", "follow", "w1"}},
		"a look at a host":         {record("w1", "working"), []string{"inspect", "w1"}},
		"a removal":                {record("w1", "working"), []string{"remove", "w1", "--yes"}},
		"several":                  {record("w1", "working"), []string{"remove", "w1", "w2", "--yes"}},
		"one that is lost":         {record("w1", "working"), []string{"remove", "w1", "--node-lost", "--yes"}},
		"a drain":                  {record("w1", "working"), []string{"drain", "w1"}},
		"a cordon":                 {record("w1", "working"), []string{"cordon", "w1", "w2"}},
		"a join":                   {record("w1", "working"), []string{"join"}},
		"a network":                {record("w1", "working"), []string{"cni", "install", "flannel"}},
		"a move":                   {record("w1", "working"), []string{"move", "w1", "--to-context", "x", "--yes"}},
		"a command that is not":    {record("w1", "working"), []string{forged}},
		"a flag that is not":       {record("w1", "working"), []string{"drain", "w1", "--surge", forged}},
		"a node that is not named": {record("w1", "working"), []string{"drain", forged}},
	} {
		t.Run(name, func(t *testing.T) {
			_, out, errOut := command(t, append([]string{"--kubeconfig", hostileServer(t, c.record)}, c.args...)...)
			envtest.Harmless(t, name, out+errOut)
		})
	}
}
