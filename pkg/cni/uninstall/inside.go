// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
)

// mostInside bounds what is listed of one kind in a namespace: one thing is enough.
const mostInside = 500

// inside lists what the namespaces among the objects of a release hold beside them:
// pods, Secrets, ConfigMaps and PersistentVolumeClaims, which are what people lose.
func inside(ctx context.Context, client kubernetes.Interface, objects []release.Object) (map[string][]string, error) {
	out := map[string][]string{}
	for _, o := range objects {
		if o.Resource != "namespaces" || o.Group != "" {
			continue
		}
		found, err := content(ctx, client, o.Name)
		if err != nil {
			return nil, fmt.Errorf("list what is in namespace %s: %w", o.Name, err)
		}
		for _, in := range found {
			if !slices.Contains(objects, in) {
				out[o.Name] = append(out[o.Name], in.Resource+" "+in.Name)
			}
		}
	}
	return out, nil
}

// content lists a namespace, but for what every namespace has and what controllers make
// again.
func content(ctx context.Context, client kubernetes.Interface, namespace string) (out []release.Object, err error) {
	add := func(resource, name string) {
		out = append(out, release.Object{Resource: resource, Namespace: namespace, Name: name})
	}
	query := metav1.ListOptions{Limit: mostInside}
	pods, err := client.CoreV1().Pods(namespace).List(ctx, query)
	if err != nil {
		return nil, err
	}
	for _, p := range pods.Items {
		if metav1.GetControllerOf(&p) == nil {
			add("pods", p.Name)
		}
	}
	secrets, err := client.CoreV1().Secrets(namespace).List(ctx, query)
	if err != nil {
		return nil, err
	}
	for _, s := range secrets.Items {
		if s.Type != corev1.SecretTypeServiceAccountToken && s.Type != "helm.sh/release.v1" {
			add("secrets", s.Name)
		}
	}
	configs, err := client.CoreV1().ConfigMaps(namespace).List(ctx, query)
	if err != nil {
		return nil, err
	}
	for _, m := range configs.Items {
		if m.Name != "kube-root-ca.crt" {
			add("configmaps", m.Name)
		}
	}
	claims, err := client.CoreV1().PersistentVolumeClaims(namespace).List(ctx, query)
	switch {
	case apierrors.IsForbidden(err):
		return out, nil
	case err != nil:
		return nil, err
	}
	for _, c := range claims.Items {
		add("persistentvolumeclaims", c.Name)
	}
	return out, nil
}
