// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestOnlyTokensOfOneDescriptionAreRevoked(t *testing.T) {
	foreign := tokenSecret(newToken("foreign", "0123456789abcdef"), Request{TTL: time.Hour, Description: "move of w1"}, time.Now())
	foreign.Labels = nil
	client := fake.NewClientset(
		tokenSecret(newToken("aaaaaa", "0123456789abcdef"), Request{TTL: time.Hour, Description: "move of w1"}, time.Now()),
		tokenSecret(newToken("bbbbbb", "0123456789abcdef"), Request{TTL: time.Hour, Description: "move of w1"}, time.Now()),
		tokenSecret(newToken("cccccc", "0123456789abcdef"), Request{TTL: time.Hour, Description: "move of w10"}, time.Now()),
		foreign,
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "other", Namespace: "kube-system", Labels: map[string]string{Label: "x"}},
			Data: map[string][]byte{"description": []byte("move of w1")}},
	)
	if err := RevokeDescribed(t.Context(), client, "move of w1", Token{ID: "bbbbbb"}); err != nil {
		t.Fatal(err)
	}
	left, err := client.CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range left.Items {
		names[s.Name] = true
	}
	if len(names) != 4 || names["bootstrap-token-aaaaaa"] {
		t.Errorf("left: %v", names)
	}
}

// The id of a token may come from a host that names the token of somebody else.
func TestATokenIsRecalledOnlyIfItWasMadeForThat(t *testing.T) {
	const mine = "kubectl lifecycle move of node w1"
	never := func(s *corev1.Secret) { delete(s.Data, "expiration") }
	unlabelled := func(s *corev1.Secret) { s.Labels = nil }
	cases := map[string]struct {
		description string
		ttl         time.Duration
		change      func(*corev1.Secret)
		ok          bool
	}{
		"the node's own":                       {mine, time.Hour, nil, true},
		"another node's":                       {"kubectl lifecycle move of node w10", time.Hour, nil, false},
		"one of kubeadm, which never expires":  {"", time.Hour, func(s *corev1.Secret) { never(s); unlabelled(s) }, false},
		"one of a join, without a description": {"", time.Hour, nil, false},
		"one of that description made by hand": {mine, time.Hour, unlabelled, false},
		"one that never expires":               {mine, time.Hour, never, false},
		"one that lives a year":                {mine, 365 * 24 * time.Hour, nil, false},
		"one that has expired":                 {mine, -time.Hour, nil, false},
		"one that holds another id":            {mine, time.Hour, func(s *corev1.Secret) { s.Data["token-id"] = []byte("bbbbbb") }, false},
		"one that is no bootstrap token":       {mine, time.Hour, func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			secret := tokenSecret(newToken("aaaaaa", "0123456789abcdef"), Request{TTL: c.ttl, Description: c.description}, time.Now())
			if c.change != nil {
				c.change(secret)
			}
			before := string(secret.Data["expiration"])
			client := fake.NewClientset(secret)
			got, err := Recall(t.Context(), client, "aaaaaa", mine)
			if (err == nil) != c.ok || c.ok && got.Whole() != "aaaaaa.0123456789abcdef" || !c.ok && got.Whole() == "aaaaaa.0123456789abcdef" {
				t.Errorf("token %v, error %v", got, err)
			}
			if err != nil && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "") {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
			if name == "one that has expired" || name == "one that holds another id" {
				return
			}
			extendErr := Extend(t.Context(), client, Token{ID: "aaaaaa"}, mine, 2*time.Hour)
			after, err := client.CoreV1().Secrets("kube-system").Get(t.Context(), secret.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if c.ok != (extendErr == nil) || !c.ok && (string(after.Data["expiration"]) != before || after.StringData["expiration"] != "") {
				t.Errorf("extended: %v, from %q to %q", extendErr, before, after.Data["expiration"])
			}
		})
	}
	for _, id := range []string{"", "aaaaa", "aaaaaa.0123456789abcdef", "../abc", "AAAAAA"} {
		if _, err := Recall(t.Context(), fake.NewClientset(), id, mine); err == nil {
			t.Errorf("%q is taken for an id", id)
		}
	}
	if err := Extend(t.Context(), fake.NewClientset(), Token{ID: "aaaaaa"}, mine, time.Hour); !apierrors.IsNotFound(err) {
		t.Errorf("a token that is gone: %v", err)
	}
}
