// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// person are the flags by which the plugin acts as somebody who has what
// docs/rbac.yaml gives, and nothing else, until the test ends.
func (b *bed) person(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../docs/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b.kubectl(t, string(raw), "apply", "-f", "-")
	t.Cleanup(func() { b.kubectl(t, string(raw), "delete", "-f", "-") })
	as := []string{"--as", "e2e-person", "--as-group", "kubectl-lifecycle", "--as-group", "system:authenticated"}
	eventually(t, 30*time.Second, "the role is heeded", func() (bool, string) {
		out, err := b.tryKubectl(t, "", append([]string{"auth", "can-i", "delete", "nodes"}, as...)...)
		return err == nil, out
	})
	if out, _ := b.tryKubectl(t, "", append([]string{"auth", "can-i", "get", "secrets", "-n", "default"},
		as...)...); strings.TrimSpace(out) != "no" {
		t.Errorf("may that person get secrets elsewhere? %s", out)
	}
	return as
}

// recordToken is what the program on the host, which waits, has to report with:
// good for its own record, and nothing else.
func (b *bed) recordToken(t *testing.T) string {
	t.Helper()
	token := strings.TrimSpace(b.host(t, b.blank, "cat /var/lib/kubectl-lifecycle/token"))
	record := "/api/v1/namespaces/kube-system/secrets/lifecycle-" + b.blank
	for _, ask := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, record, http.StatusOK},
		{http.MethodDelete, record, http.StatusForbidden},
		{http.MethodGet, "/api/v1/namespaces/kube-system/secrets", http.StatusForbidden},
		{http.MethodGet, "/api/v1/namespaces/kube-system/secrets/lifecycle-" + b.worker, http.StatusForbidden},
		{http.MethodGet, "/api/v1/nodes/" + b.blank, http.StatusForbidden},
		{http.MethodGet, "/api/v1/namespaces/default/pods", http.StatusForbidden},
	} {
		if got := b.asks(t, token, ask.method, ask.path); got != ask.want {
			t.Errorf("%s %s: %d, want %d", ask.method, ask.path, got, ask.want)
		}
	}
	return token
}

// asks is what the API server answers to somebody who has only a token.
func (b *bed) asks(t *testing.T, token, method, path string) int {
	t.Helper()
	config := rest.AnonymousClientConfig(b.config)
	config.BearerToken = token
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, b.config.Host+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// dies checks that a token opens nothing any more, within the time for which an
// API server remembers whom it has let in (10 s, and a moment).
func (b *bed) dies(t *testing.T, token string) {
	t.Helper()
	eventually(t, 15*time.Second, "the API server refuses the record's token", func() (bool, string) {
		code := b.asks(t, token, http.MethodGet, "/api/v1")
		return code == http.StatusUnauthorized, fmt.Sprint(code)
	})
}
