// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/token/util"
	"k8s.io/cluster-bootstrap/util/secrets"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Recall reads a token that was made here with a description, by an id that may
// come from anywhere: it refuses every token that is not of just that description,
// was not made here, does not expire within a day, or could not join a host. The
// secret half of another token must never reach a host that names its id.
func Recall(ctx context.Context, client kubernetes.Interface, id, description string) (Token, error) {
	if !util.IsValidBootstrapTokenID(id) {
		return Token{}, plan.Refuse(fmt.Errorf("%q is not the id of a bootstrap token", id), "leave the token out to have one made")
	}
	secret, err := readToken(ctx, client, id)
	if err != nil {
		return Token{}, err
	}
	if fault := unfit(secret, id, time.Now()); fault != "" {
		return Token{}, plan.Refuse(fmt.Errorf("bootstrap token %s cannot join a host: %s", id, fault), "leave the token out to have one made")
	}
	t := describe(newToken(id, secrets.GetData(secret, api.BootstrapTokenSecretKey)), secret)
	if fault := foreign(t, secret, description, time.Now()); fault != "" {
		return Token{}, plan.Refuse(fmt.Errorf("bootstrap token %s is not one of '%s': %s", id, description, fault),
			"leave the token out to have one made")
	}
	return t, nil
}

// foreign says why a token was not made here for a purpose; empty means it was.
func foreign(t Token, secret *corev1.Secret, description string, now time.Time) string {
	switch {
	case secret.Type != api.SecretTypeBootstrapToken:
		return "its secret is of another type"
	case t.Foreign:
		return "it was not made by this program"
	case description == "" || secrets.GetData(secret, api.BootstrapTokenDescriptionKey) != description:
		return "it was made for something else"
	case t.Expires.IsZero():
		return "it never expires"
	case t.Expires.After(now.Add(maxTTL + maxSkew)):
		return "it lives too long"
	}
	return ""
}

// Extend gives a token that was made here with a description a new time to live,
// from now on by the clock here. A token that is gone is an error, and any other is
// refused as by Recall.
func Extend(ctx context.Context, client kubernetes.Interface, t Token, description string, ttl time.Duration) error {
	secret, err := readToken(ctx, client, t.ID)
	if err != nil {
		return err
	}
	if fault := foreign(describe(t, secret), secret, description, time.Now()); fault != "" {
		return plan.Refuse(fmt.Errorf("bootstrap token %s is not extended: %s", t.ID, fault), "run the same command again, which makes another")
	}
	patch, err := json.Marshal(map[string]any{
		"metadata":   map[string]any{"uid": secret.UID},
		"stringData": map[string]string{api.BootstrapTokenExpirationKey: time.Now().Add(ttl).UTC().Format(time.RFC3339)},
	})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Secrets(metav1.NamespaceSystem).Patch(ctx, t.SecretName(), types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("extend bootstrap token %s: %w", t.ID, err)
	}
	return nil
}

// Described lists the tokens that were made here with a description, each as a
// reference without its secret part.
func Described(ctx context.Context, client kubernetes.Interface, description string) ([]Token, error) {
	list, err := client.CoreV1().Secrets(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: Label})
	if err != nil {
		return nil, fmt.Errorf("list bootstrap tokens: %w", err)
	}
	var out []Token
	for i := range list.Items {
		secret := &list.Items[i]
		if secret.Type == api.SecretTypeBootstrapToken && string(secret.Data[api.BootstrapTokenDescriptionKey]) == description {
			out = append(out, Token{ID: string(secret.Data[api.BootstrapTokenIDKey])})
		}
	}
	return out, nil
}

// RevokeDescribed deletes the tokens that were made here with a description,
// except one (the zero Token excepts none).
func RevokeDescribed(ctx context.Context, client kubernetes.Interface, description string, except Token) error {
	tokens, err := Described(ctx, client, description)
	errs := []error{err}
	for _, t := range tokens {
		if t.ID != except.ID {
			errs = append(errs, Revoke(ctx, client, t))
		}
	}
	return errors.Join(errs...)
}
