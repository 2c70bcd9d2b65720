// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"errors"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
)

// grant makes the Role and its RoleBinding. Those that are there already, kubeadm's or
// anything else's, are used as they are; those of an earlier join of this program's go
// with its token, and are replaced before that.
func grant(ctx context.Context, client kubernetes.Interface, role *rbacv1.Role, binding *rbacv1.RoleBinding) error {
	roles, bindings := client.RbacV1().Roles(namespace), client.RbacV1().RoleBindings(namespace)
	_, err := roles.Create(ctx, role, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		old, getErr := roles.Get(ctx, role.Name, metav1.GetOptions{})
		if err = getErr; err == nil && ours(old) {
			if err = ignoreGone(roles.Delete(ctx, old.Name, this(old)), "role", old.Name); err == nil {
				_, err = roles.Create(ctx, role, metav1.CreateOptions{})
			}
		}
	}
	if err != nil {
		return fmt.Errorf("create role %s/%s: %w", namespace, role.Name, err)
	}
	_, err = bindings.Create(ctx, binding, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		old, getErr := bindings.Get(ctx, binding.Name, metav1.GetOptions{})
		if err = getErr; err == nil && ours(old) {
			if err = ignoreGone(bindings.Delete(ctx, old.Name, this(old)), "rolebinding", old.Name); err == nil {
				_, err = bindings.Create(ctx, binding, metav1.CreateOptions{})
			}
		}
	}
	if err != nil {
		return fmt.Errorf("create rolebinding %s/%s: %w", namespace, binding.Name, err)
	}
	return nil
}

// ours reports whether an object was made here for an earlier join.
func ours(object metav1.Object) bool {
	return object.GetLabels()[bootstrap.Label] == label && len(object.GetOwnerReferences()) > 0
}

// Withdraw deletes what Publish has made, and nothing else of those names; what is gone
// already is fine. The zero Published has made nothing.
func Withdraw(ctx context.Context, client kubernetes.Interface, made Published) error {
	if made.owner.UID == "" {
		return nil
	}
	secrets, roles, bindings := client.CoreV1().Secrets(namespace), client.RbacV1().Roles(namespace), client.RbacV1().RoleBindings(namespace)
	var errs []error
	binding, err := bindings.Get(ctx, roleName, metav1.GetOptions{})
	if err == nil && made.owns(binding) {
		err = bindings.Delete(ctx, roleName, this(binding))
	}
	errs = append(errs, ignoreGone(err, "rolebinding", roleName))
	role, err := roles.Get(ctx, roleName, metav1.GetOptions{})
	if err == nil && made.owns(role) {
		err = roles.Delete(ctx, roleName, this(role))
	}
	errs = append(errs, ignoreGone(err, "role", roleName))
	secret, err := secrets.Get(ctx, SecretName, metav1.GetOptions{})
	if err == nil && made.owns(secret) {
		err = secrets.Delete(ctx, SecretName, this(secret))
	}
	return errors.Join(append(errs, ignoreGone(err, "secret", SecretName))...)
}

func (p Published) owns(object metav1.Object) bool {
	return slices.ContainsFunc(object.GetOwnerReferences(), func(ref metav1.OwnerReference) bool { return ref.UID == p.owner.UID })
}

// this has the API server delete this very object, and no later one of its name.
func this(object metav1.Object) metav1.DeleteOptions {
	uid := object.GetUID()
	return metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}
}

func ignoreGone(err error, kind, name string) error {
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("delete %s %s/%s: %w", kind, namespace, name, err)
}
