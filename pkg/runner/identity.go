// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// ownerRef makes what a run creates go with its record.
func (r Record) ownerRef() metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "Secret", Name: r.Name, UID: r.UID}
}

// ref names this very record.
func (r Record) ref() wire.Ref {
	return wire.Ref{Namespace: r.Namespace, Name: r.Name, UID: string(r.UID)}
}

// identity makes the ServiceAccount with a Role for its own record only, and a
// token bound to the record: when the record is deleted the token is dead.
func (r Record) identity(ctx context.Context, client kubernetes.Interface, lifetime time.Duration) (token string, err error) {
	meta := metav1.ObjectMeta{
		Name: r.Name, Namespace: r.Namespace,
		Labels:          map[string]string{Label: string(r.State.Operation)},
		OwnerReferences: []metav1.OwnerReference{r.ownerRef()},
	}
	no := false
	accounts, roles, bindings := client.CoreV1().ServiceAccounts(r.Namespace), client.RbacV1().Roles(r.Namespace),
		client.RbacV1().RoleBindings(r.Namespace)
	err = errors.Join(
		own(ctx, r, "serviceaccount", &corev1.ServiceAccount{ObjectMeta: meta, AutomountServiceAccountToken: &no}, accounts),
		own(ctx, r, "role", &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{r.Name}, Verbs: []string{"get", "patch"},
		}}}, roles),
		own(ctx, r, "rolebinding", &rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: r.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: r.Namespace, Name: r.Name}},
		}, bindings))
	if err != nil {
		return "", err
	}
	seconds := int64(lifetime.Seconds())
	answer, err := client.CoreV1().ServiceAccounts(r.Namespace).CreateToken(ctx, r.Name, &authv1.TokenRequest{
		Spec: authv1.TokenRequestSpec{
			ExpirationSeconds: &seconds,
			BoundObjectRef:    &authv1.BoundObjectReference{APIVersion: "v1", Kind: "Secret", Name: r.Name, UID: r.UID},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request a token for serviceaccount %s/%s: %w", r.Namespace, r.Name, err)
	}
	return answer.Status.Token, nil
}

// client is what own needs of a typed client.
type client[T metav1.Object] interface {
	Create(context.Context, T, metav1.CreateOptions) (T, error)
	Get(context.Context, string, metav1.GetOptions) (T, error)
	Delete(context.Context, string, metav1.DeleteOptions) error
}

// own creates an object that goes with the record. One of an earlier record of
// this name, which the garbage collector has not come to yet, is deleted first: it
// would be taken away in the middle of the run. Any other is refused.
func own[T metav1.Object](ctx context.Context, r Record, kind string, object T, in client[T]) error {
	name := object.GetName()
	fail := func(verb string, err error) error {
		return fmt.Errorf("%s %s %s/%s: %w", verb, kind, r.Namespace, name, err)
	}
	_, err := in.Create(ctx, object, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		if err != nil {
			return fail("create", err)
		}
		return nil
	}
	there, err := in.Get(ctx, name, metav1.GetOptions{})
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return fail("get", err)
	case err != nil: // it went in between
	case r.owns(there):
		return nil
	case !r.owned(there):
		return plan.Refuse(fmt.Errorf("%s %s/%s already exists and was not created by kubectl lifecycle", kind, r.Namespace, name),
			"look at it; if it is not needed, delete it: %s", text.Command("kubectl", "-n", r.Namespace, "delete", kind, name))
	default:
		if err := deleteVery(ctx, in, there); err != nil {
			return fail("delete the old", err)
		}
	}
	if _, err := in.Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return fail("create", err)
	}
	return nil
}

// owns reports whether an object goes with this very record.
func (r Record) owns(object metav1.Object) bool {
	return object.GetLabels()[Label] != "" &&
		slices.ContainsFunc(object.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == r.UID })
}

// owned reports whether an object goes with a record of this name, be it an
// earlier one.
func (r Record) owned(object metav1.Object) bool {
	owners := object.GetOwnerReferences()
	return object.GetLabels()[Label] != "" && len(owners) == 1 && owners[0].Kind == "Secret" && owners[0].Name == r.Name
}

// End deletes everything a run made, the record last, and waits for none of it:
// it would also go with the record, but the garbage collector takes its time.
// What has such a name and is not of this record is never deleted. A record that does not
// go, for a finalizer that something has put on it, is an error.
func End(ctx context.Context, client kubernetes.Interface, rec Record) error {
	ns := rec.Namespace
	err := errors.Join(
		disown(ctx, rec, "pod", podsOf{client, ns}),
		disown(ctx, rec, "rolebinding", client.RbacV1().RoleBindings(ns)),
		disown(ctx, rec, "role", client.RbacV1().Roles(ns)),
		disown(ctx, rec, "serviceaccount", client.CoreV1().ServiceAccounts(ns)),
		releaseControlPlanes(ctx, planeHolder{namespace: ns, owner: rec.ownerRef()}, client.CoreV1().Secrets(ns)),
	)
	uid := rec.UID
	gone := client.CoreV1().Secrets(ns).Delete(ctx, rec.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if gone != nil && !apierrors.IsNotFound(gone) {
		return errors.Join(err, fmt.Errorf("delete secret %s/%s: %w", ns, rec.Name, gone))
	}
	left, unread := client.CoreV1().Secrets(ns).Get(ctx, rec.Name, metav1.GetOptions{})
	if unread == nil && left.UID == rec.UID {
		err = errors.Join(err, heldBack(left))
	}
	return err
}

// remover is what disown needs of a typed client.
type remover[T metav1.Object] interface {
	Get(context.Context, string, metav1.GetOptions) (T, error)
	Delete(context.Context, string, metav1.DeleteOptions) error
}

// disown deletes an object of the record's name if it is the record's. Who may
// not read it leaves it to the garbage collector.
func disown[T metav1.Object](ctx context.Context, r Record, kind string, in remover[T]) error {
	there, err := in.Get(ctx, r.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("get %s %s/%s: %w", kind, r.Namespace, r.Name, err)
	case !r.owns(there):
		return nil
	}
	if err := deleteVery(ctx, in, there); err != nil {
		return fmt.Errorf("delete %s %s/%s: %w", kind, r.Namespace, r.Name, err)
	}
	return nil
}

// deleteVery deletes this very object, and none that has its name by now.
func deleteVery[T metav1.Object](ctx context.Context, in remover[T], object T) error {
	now, uid := int64(0), object.GetUID()
	err := in.Delete(ctx, object.GetName(), metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return err
	}
	return nil
}

// podsOf reads pods by listing, because that is what the documented role may do.
type podsOf struct {
	client    kubernetes.Interface
	namespace string
}

// Get reads one pod.
func (p podsOf) Get(ctx context.Context, name string, _ metav1.GetOptions) (*corev1.Pod, error) {
	pod, err := podcarrier.Named(ctx, p.client, p.namespace, name)
	if err == nil && pod == nil {
		err = apierrors.NewNotFound(corev1.Resource("pods"), name)
	}
	return pod, err
}

// Delete deletes one pod.
func (p podsOf) Delete(ctx context.Context, name string, o metav1.DeleteOptions) error {
	return p.client.CoreV1().Pods(p.namespace).Delete(ctx, name, o)
}
