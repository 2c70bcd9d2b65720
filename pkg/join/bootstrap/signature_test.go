// SPDX-License-Identifier: Apache-2.0

package bootstrap

import "testing"

// The signatures were made with Kubernetes' own library
// (k8s.io/cluster-bootstrap v0.37.2, token/jws).
func TestTheSignatureIsTheOneThatKubernetesWrites(t *testing.T) {
	for name, c := range map[string]struct{ content, id, secret, want string }{
		"a text": {"content", "abcdef", "0123456789abcdef",
			"eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..psz1NayrXM3IaFzKZGsb5n_mBl7MjtlsZ1xE8MRmF_4"},
		"nothing": {"", "a1b2c3", "fedcba9876543210",
			"eyJhbGciOiJIUzI1NiIsImtpZCI6ImExYjJjMyJ9..JdfvZpNL4iNV-2bp5zPZhl_uhHZAXTv8r-78wSeKJqk"},
		"bytes that are no letters": {"apiVersion: v1\nclusters:\n- cluster:\n    server: https://api:6443\n  name: \"\"\nkind: " +
			"Config\nüñ\x00>>??", "zzzzz9", "zzzzzzzzzzzzzzz0",
			"eyJhbGciOiJIUzI1NiIsImtpZCI6Inp6enp6OSJ9..p48ryNQQ4N_mOZAOl83D4aUkwpdWKbAeApMlDj6HRPk"},
	} {
		if got := signature(c.content, newToken(c.id, c.secret)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
