// SPDX-License-Identifier: Apache-2.0

package join

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestOnlyTokensOfOneDescriptionAreRevoked(t *testing.T) {
	foreign := tokenSecret(newToken("foreign", "0123456789abcdef"), Request{TTL: time.Hour, Description: "move of w1"}, time.Now())
	foreign.Labels = nil
	client := fake.NewClientset(
		tokenSecret(newToken("aaaaaa", "0123456789abcdef"), Request{TTL: time.Hour, Description: "move of w1"}, time.Now()),
		tokenSecret(newToken("bbbbbb", "0123456789abcdef"), Request{TTL: time.Hour, Description: "move of w1"}, time.Now()),
		tokenSecret(newToken("cccccc", "0123456789abcdef"), Request{TTL: time.Hour, Description: "move of w10"}, time.Now()),
		foreign,
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "other", Namespace: "kube-system", Labels: map[string]string{Label: "x"}}, Data: map[string][]byte{"description": []byte("move of w1")}},
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
