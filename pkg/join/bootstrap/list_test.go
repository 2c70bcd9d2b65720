// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cluster-bootstrap/token/api"
)

func TestTokensAreListedByTheirEndAndWithoutTheirSecret(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	secret := func(id string, ends time.Duration, change func(*corev1.Secret)) corev1.Secret {
		s := *tokenSecret(newToken(id, "0123456789abcdef"), Request{TTL: ends, Description: "of " + id}, now)
		if change != nil {
			change(&s)
		}
		return s
	}
	never := func(s *corev1.Secret) { delete(s.Data, api.BootstrapTokenExpirationKey); s.Labels = nil }
	all := listed([]corev1.Secret{
		secret("never1", time.Hour, never),
		secret("later1", 2*time.Hour, nil),
		secret("sooner", time.Hour, nil),
		secret("past12", -time.Hour, nil),
		secret("noauth", 3*time.Hour, func(s *corev1.Secret) { s.Data[api.BootstrapTokenUsageAuthentication] = []byte("True") }),
		secret("other1", time.Hour, func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque }),
		secret("badid1", 4*time.Hour, func(s *corev1.Secret) { s.Name = "bootstrap-token-UPPER" }),
		{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Type: api.SecretTypeBootstrapToken},
	}, now)
	var got []string
	for _, l := range all {
		got = append(got, strings.TrimSpace(l.ID+" "+l.Unfit))
	}
	want := "past12 it has expired, sooner, later1, noauth it may not be used for authentication, UPPER its name holds no id, never1"
	if strings.Join(got, ", ") != want {
		t.Errorf("%s", strings.Join(got, ", "))
	}
	if last := all[len(all)-1]; !last.Foreign || !last.Expires.IsZero() {
		t.Errorf("%+v", last)
	}
	if raw, err := json.Marshal(all); err != nil || strings.Contains(string(raw), "0123456789abcdef") {
		t.Errorf("the secret half is shown: %v", err)
	}
}
