// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/cluster-bootstrap/token/api"
)

// Extend gives a token a new time to live, from now on by the clock here. A
// token that is gone is an error.
func Extend(ctx context.Context, client kubernetes.Interface, t Token, ttl time.Duration) error {
	patch, err := json.Marshal(map[string]any{"stringData": map[string]string{
		api.BootstrapTokenExpirationKey: time.Now().Add(ttl).UTC().Format(time.RFC3339),
	}})
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
