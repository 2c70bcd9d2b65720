// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// askers bounds the questions under way at once.
const askers = 10

// Denied are those of the needs that the API server says this user may not do, in
// their order; as is a need in the API's words.
func Denied[T fmt.Stringer](ctx context.Context, client kubernetes.Interface, needs []T,
	as func(T) authorizationv1.ResourceAttributes) ([]T, error) {
	denied := make([]bool, len(needs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askers)
	for i, need := range needs {
		group.Go(func() error {
			what := as(need)
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what}}
			got, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("ask whether you may %s: %w", need, err)
			}
			denied[i] = !got.Status.Allowed
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []T
	for i, need := range needs {
		if denied[i] {
			out = append(out, need)
		}
	}
	return out, nil
}
