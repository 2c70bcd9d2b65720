// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// joinLine is the command as a whole, and its token.
var joinLine = regexp.MustCompile(`^kubeadm join \S+:6443 --token ([a-z0-9]{6})\.([a-z0-9]{16}) (--\S+ \S+ ?)+\n$`)

// stageJoin: dry runs change nothing; stdout is the command alone; the command
// works as printed; when the node is Ready the token is dead.
func (b *bed) stageJoin(t *testing.T) {
	b.withNetwork(t)
	for _, mode := range []string{"client", "server"} {
		b.unchanged(t, "", func() { b.run(t, 0, "join", "--dry-run="+mode) })
	}
	o := b.must(t, "join", "-o", "command", "--ttl", "10m")
	parts := joinLine.FindStringSubmatch(o.stdout)
	if parts == nil {
		t.Fatalf("stdout is not one join command: %q", o.stdout)
	}
	b.tokenIsTenMinutesOld(t, parts[1])
	if code := b.tokenAnswer(t, parts[1]+"."+parts[2]); code != http.StatusOK {
		t.Errorf("the API server answers %d to the token that was printed", code)
	}
	b.kubectl(t, "", "-n", "kube-system", "delete", "secret", "bootstrap-token-"+parts[1])
	b.joinHost(t)
}

// tokenIsTenMinutesOld checks the token that was made with --ttl 10m.
func (b *bed) tokenIsTenMinutesOld(t *testing.T, id string) {
	t.Helper()
	secret, err := b.client.CoreV1().Secrets("kube-system").Get(t.Context(), "bootstrap-token-"+id, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	expires, err := time.Parse(time.RFC3339, string(secret.Data["expiration"]))
	if left := time.Until(expires); err != nil || left < 8*time.Minute || left > 10*time.Minute {
		t.Errorf("the token expires in %s (%v), want 10m", left, err)
	}
	if len(secret.Data["description"]) == 0 {
		t.Error("the token has no description")
	}
}

// tokenAnswer is what the API server answers to somebody who has only a token.
func (b *bed) tokenAnswer(t *testing.T, token string) int {
	t.Helper()
	return b.asks(t, token, http.MethodGet, "/api/v1")
}

// joinHost makes the blank host join with the command that join prints, and
// checks that the token is dead when join --wait has ended.
func (b *bed) joinHost(t *testing.T) {
	t.Helper()
	b.ears.joins++
	r := b.start(t, "join", "--wait", "--timeout", "3m")
	var parts []string
	eventually(t, time.Minute, "join prints its command", func() (bool, string) {
		parts = joinLine.FindStringSubmatch(r.out.String())
		return parts != nil, r.out.String() + r.err.String()
	})
	if out, err := b.tryHost(t, b.blank, parts[0]); err != nil {
		r.cancel()
		t.Fatalf("the printed command failed on host %s: %v\n%s", b.blank, err, out)
	}
	o := r.wait(t)
	if o.code != 0 {
		t.Fatalf("join --wait: exit code %d", o.code)
	}
	b.took("join --wait, until the node is Ready", o.took)
	if !isReady(b.node(t, b.blank)) {
		t.Errorf("node %s is not Ready when join --wait has ended", b.blank)
	}
	if secrets := b.kubectl(t, "", "-n", "kube-system", "get", "secrets", "-o", "name"); strings.Contains(secrets, parts[1]) {
		t.Errorf("token %s is still there when the node is Ready", parts[1])
	}
	eventually(t, 10*time.Second, "the API server refuses the token", func() (bool, string) {
		code := b.tokenAnswer(t, parts[1]+"."+parts[2])
		return code == http.StatusUnauthorized, http.StatusText(code)
	})
}

// joined makes sure that the host has joined and may be given pods.
func (b *bed) joined(t *testing.T) {
	t.Helper()
	b.withNetwork(t)
	if !isReady(b.node(t, b.blank)) {
		b.joinHost(t)
	}
	b.kubectl(t, "", "uncordon", b.blank)
}
