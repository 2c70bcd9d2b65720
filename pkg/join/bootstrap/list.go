// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/token/util"
	"k8s.io/cluster-bootstrap/util/secrets"
)

// Listed is a bootstrap token as it is shown: nothing of its secret half.
type Listed struct {
	ID          string    `json:"id"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires,omitzero"`
	Description string    `json:"description,omitempty"`
	// Foreign says that it was not made here.
	Foreign bool `json:"foreign,omitempty"`
	// Unfit is why no host can join with it; empty if one can. The API server applies
	// these rules and says nothing.
	Unfit string `json:"unfit,omitempty"`
}

// List reads all bootstrap tokens, by the time at which they end; those that never end
// come last.
func List(ctx context.Context, client kubernetes.Interface) ([]Listed, error) {
	found, err := client.CoreV1().Secrets(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{
		FieldSelector: "type=" + string(api.SecretTypeBootstrapToken),
	})
	if err != nil {
		return nil, fmt.Errorf("list bootstrap tokens: %w", err)
	}
	return listed(found.Items, time.Now()), nil
}

// listed is List without the cluster. It is pure.
func listed(found []corev1.Secret, now time.Time) []Listed {
	var all []Listed
	for i := range found {
		secret := &found[i]
		id, isToken := strings.CutPrefix(secret.Name, api.BootstrapTokenSecretPrefix)
		if secret.Type != api.SecretTypeBootstrapToken || !isToken {
			continue
		}
		t := describe(Token{ID: id}, secret)
		one := Listed{ID: id, Created: t.created, Expires: t.Expires, Foreign: t.Foreign, Unfit: unfit(secret, id, now),
			Description: secrets.GetData(secret, api.BootstrapTokenDescriptionKey)}
		if !util.IsValidBootstrapTokenID(id) {
			one.Unfit = "its name holds no id"
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Listed) int {
		if a.Expires.IsZero() != b.Expires.IsZero() {
			return map[bool]int{true: 1, false: -1}[a.Expires.IsZero()]
		}
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.ID, b.ID))
	})
	return all
}
