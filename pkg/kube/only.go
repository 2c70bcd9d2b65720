// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Resource is one kind of object in its namespace, as client-go's clients have it.
type Resource[L runtime.Object] interface {
	List(ctx context.Context, query metav1.ListOptions) (L, error)
	Watch(ctx context.Context, query metav1.ListOptions) (watch.Interface, error)
}

// Only lists and watches the object of one name, for a wait (client-go's UntilWithSync).
func Only[L runtime.Object](client kubernetes.Interface, resource Resource[L], name string) cache.ListerWatcher {
	selector := fields.OneTermEqualSelector("metadata.name", name).String()
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, query metav1.ListOptions) (runtime.Object, error) {
			query.FieldSelector = selector
			return resource.List(ctx, query)
		},
		WatchFuncWithContext: func(ctx context.Context, query metav1.ListOptions) (watch.Interface, error) {
			query.FieldSelector = selector
			return resource.Watch(ctx, query)
		},
	}, client)
}
