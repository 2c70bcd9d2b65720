// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// DefaultNamespace holds the records: it exists in every cluster, and what is
// there may be privileged.
const DefaultNamespace = "kube-system"

// How long a token is asked for; the server may grant less, and gives none for
// less than ten minutes. A run may take as long as a drain does, a look does not.
const (
	tokenOfRun  = 24 * time.Hour
	tokenOfLook = 10 * time.Minute
)

// Record is a run's object in the cluster, with what it says.
type Record struct {
	Namespace, Name string
	UID             types.UID
	State           wire.State
}

// Of reports whether the run is of this very node, and not of one of its name that
// has left since. A record that does not say is of the node that is there.
func (r Record) Of(node *corev1.Node) bool {
	return r.State.NodeUID == "" || node.UID == "" || r.State.NodeUID == string(node.UID)
}

// NameFor is the name of a node's record, and of everything that belongs to
// it. Node names may be as long as a Secret's name may be (253), so a long one
// is cut and told apart by a hash.
func NameFor(node string) string {
	const longest = 200
	if len(node) <= longest {
		return "lifecycle-" + node
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(node))
	return fmt.Sprintf("lifecycle-%s-%x", node[:longest], h.Sum64())
}

// Get reads a node's record; found is false when there is none.
func Get(ctx context.Context, c Cluster, node string) (rec Record, found bool, err error) {
	client, namespace := c.Client, c.namespace()
	secret, err := client.CoreV1().Secrets(namespace).Get(ctx, NameFor(node), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, fmt.Errorf("get run record secret %s/%s: %w", namespace, NameFor(node), err)
	}
	rec, err = parse(secret)
	return rec, true, err
}

// List reads all records of the cluster's namespace, sorted by name. What a look
// at a host left that was killed is none: the next look replaces it.
func List(ctx context.Context, c Cluster) ([]Record, error) {
	client, namespace := c.Client, c.namespace()
	secrets, err := client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{LabelSelector: Label})
	if err != nil {
		return nil, fmt.Errorf("list run records in %s: %w", namespace, err)
	}
	var records []Record
	for i := range secrets.Items {
		rec, err := parse(&secrets.Items[i])
		if err != nil {
			return nil, err
		}
		if rec.Name == NameFor(rec.State.Node) {
			records = append(records, rec)
		}
	}
	return records, nil
}

func parse(secret *corev1.Secret) (Record, error) {
	rec := Record{Namespace: secret.Namespace, Name: secret.Name, UID: secret.UID}
	if secret.Labels[Label] == "" {
		return rec, plan.Refuse(fmt.Errorf("secret %s/%s is not a run record", secret.Namespace, secret.Name),
			"something else uses that name; look at it before you delete it")
	}
	state, err := wire.Parse(secret.Data)
	if err != nil {
		return rec, plan.Refuse(fmt.Errorf("secret %s/%s: %w", secret.Namespace, secret.Name, err),
			"it was written by another version, or by hand; delete it if no run is under way")
	}
	rec.State = state
	return rec, nil
}

// ErrBusy is wrapped by the refusal of a node that another run holds.
var ErrBusy = errors.New("the node is being worked on")

// create makes the record, which is the lock: of two that try, one wins. The
// other gets the refusal with who, what and since when.
func create(ctx context.Context, c Cluster, o Owner) (Record, error) {
	client, namespace := c.Client, c.namespace()
	secret, state := o.begin(namespace, NameFor(o.Node))
	made, err := client.CoreV1().Secrets(namespace).Create(ctx, secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		other, found, getErr := Get(ctx, c, o.Node)
		if getErr != nil {
			return Record{}, getErr
		}
		if found {
			return other, busy(other)
		}
		return Record{}, fmt.Errorf("create run record %s/%s: it came and went; run the command again", namespace, NameFor(o.Node))
	}
	if err != nil {
		return Record{}, fmt.Errorf("create run record secret %s/%s: %w", namespace, NameFor(o.Node), err)
	}
	return Record{Namespace: made.Namespace, Name: made.Name, UID: made.UID, State: state}, nil
}

// begin is what a run's Secret says at first, as an object and as a state.
func (o Owner) begin(namespace, name string) (*corev1.Secret, wire.State) {
	state := wire.State{Operation: o.Operation, Node: o.Node, NodeUID: string(o.NodeUID), Who: o.Who, Since: time.Now(), Phase: wire.Preparing}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{Label: string(o.Operation)}},
		StringData: map[string]string{
			wire.KeyOperation: string(o.Operation),
			wire.KeyNode:      o.Node,
			wire.KeyNodeUID:   string(o.NodeUID),
			wire.KeyWho:       o.Who,
			wire.KeySince:     state.Since.UTC().Format(time.RFC3339),
			wire.KeyPhase:     string(state.Phase),
		},
	}, state
}

// busy is the refusal of a node with a record of another operation.
func busy(rec Record) error {
	return plan.Refuse(fmt.Errorf("%w: %s", ErrBusy, rec.State.Describe()),
		"wait for it, or take it back: kubectl lifecycle runs abort %s", text.Quote(rec.State.Node))
}

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
	accounts, roles, bindings := client.CoreV1().ServiceAccounts(r.Namespace), client.RbacV1().Roles(r.Namespace), client.RbacV1().RoleBindings(r.Namespace)
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

// own creates an object that goes with the record. One of an earlier record,
// which the garbage collector has not come to yet, is deleted first: it would
// be taken away in the middle of the run. One of somebody else is refused.
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
	case there.GetLabels()[Label] == "":
		return plan.Refuse(fmt.Errorf("%s %s/%s exists and is not of a run", kind, r.Namespace, name), "look at it; if nobody needs it, delete it")
	case slices.ContainsFunc(there.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == r.UID }):
		return nil
	default:
		uid := there.GetUID()
		if err := in.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}); err != nil && !apierrors.IsNotFound(err) {
			return fail("delete the old", err)
		}
	}
	if _, err := in.Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return fail("create", err)
	}
	return nil
}

// End deletes everything a run made, the record last, and waits for none of
// it: what is deleted by name here would also go with the record, but the
// garbage collector takes its time.
func End(ctx context.Context, client kubernetes.Interface, rec Record) error {
	now := int64(0)
	ns, name := rec.Namespace, rec.Name
	gone := func(what string, err error) error {
		if err == nil || apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("delete %s %s/%s: %w", what, ns, name, err)
	}
	uid := rec.UID
	return errors.Join(
		gone("pod", client.CoreV1().Pods(ns).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now})),
		gone("rolebinding", client.RbacV1().RoleBindings(ns).Delete(ctx, name, metav1.DeleteOptions{})),
		gone("role", client.RbacV1().Roles(ns).Delete(ctx, name, metav1.DeleteOptions{})),
		gone("serviceaccount", client.CoreV1().ServiceAccounts(ns).Delete(ctx, name, metav1.DeleteOptions{})),
		gone("secret", client.CoreV1().Secrets(ns).Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})),
	)
}
