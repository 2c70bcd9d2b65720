// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// ListNodes reads the nodes that a query selects, page by page.
func ListNodes(ctx context.Context, client kubernetes.Interface, query metav1.ListOptions) ([]corev1.Node, error) {
	var nodes []corev1.Node
	err := Pages(query, func(query metav1.ListOptions) (string, error) {
		list, err := client.CoreV1().Nodes().List(ctx, query)
		if err != nil {
			return "", UnreadList(err, "nodes")
		}
		if query.Continue == "" {
			nodes = nil
		}
		nodes = append(nodes, list.Items...)
		return list.Continue, nil
	})
	return nodes, err
}

// Pointers are the addresses of the items.
func Pointers[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}

// Pages calls list until there is no next page. A list that grew too old
// between two pages is read again from its beginning, in one page.
func Pages(query metav1.ListOptions, list func(metav1.ListOptions) (next string, err error)) error {
	for {
		next, err := list(query)
		switch {
		case apierrors.IsResourceExpired(err) && query.Continue != "":
			query.Continue, query.Limit = "", 0
			continue
		case err != nil:
			return err
		case next == "":
			return nil
		}
		query.Continue = next
	}
}
