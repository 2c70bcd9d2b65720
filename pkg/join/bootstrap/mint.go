// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/token/util"
	"k8s.io/cluster-bootstrap/util/secrets"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/watch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// How long a token lives. DefaultTTL is enough to walk to a host and paste a
// command; kubeadm's own default is 24 hours.
const (
	DefaultTTL = time.Hour
	minTTL     = time.Minute
	maxTTL     = 24 * time.Hour
)

// maxSkew is how far the clock here may be from the API server's before the
// expiration is computed from the server's.
const maxSkew = time.Minute

// Request says which token to make.
type Request struct {
	// Token comes from Parse; the zero Token has one generated.
	Token Token
	// TTL is between a minute and a day; zero is refused, because it is the
	// "never expires" of kubeadm. It does not matter for an existing token.
	TTL time.Duration
	// Description is kept in the Secret and shown by "kubeadm token list".
	Description string
	// DryRun has the API server check the Secret without keeping it.
	DryRun bool
}

// Validate returns an error of class Misused for a TTL out of bounds.
func (r Request) Validate() error {
	if r.Token.IsReference() {
		return nil
	}
	switch {
	case r.TTL == 0:
		return plan.As(plan.Misused, plan.Hint(errors.New("a token that never expires is not made here"),
			"choose a time to live between %s and %s", watch.Span(minTTL), watch.Span(maxTTL)))
	case r.TTL < minTTL || r.TTL > maxTTL:
		return plan.As(plan.Misused, plan.Hint(fmt.Errorf("time to live %s is out of bounds", r.TTL),
			"choose one between %s and %s", watch.Span(minTTL), watch.Span(maxTTL)))
	}
	return nil
}

// Mint makes the token a request asks for, or reads the one it refers to.
// It refuses (class Refused) an id that is taken, and an existing token that
// could not join a host: expired, without its usages or its group.
func Mint(ctx context.Context, client kubernetes.Interface, r Request) (Token, error) {
	if err := r.Validate(); err != nil {
		return Token{}, err
	}
	if r.Token.IsReference() {
		return reuse(ctx, client, r.Token.ID)
	}
	t := r.Token
	if t.ID == "" {
		var err error
		if t, err = generate(); err != nil {
			return Token{}, err
		}
	}
	made, err := create(ctx, client, r, tokenSecret(t, r, time.Now()))
	if err != nil {
		return Token{}, err
	}
	skew := time.Until(made.CreationTimestamp.Time)
	if !made.CreationTimestamp.IsZero() && skew.Abs() > maxSkew && !r.DryRun {
		// The expiration is wrong by as much as the clock here; born expired,
		// the token is already gone. Make it again by the server's clock.
		if err := Revoke(ctx, client, t); err != nil {
			return Token{}, err
		}
		if made, err = create(ctx, client, r, tokenSecret(t, r, made.CreationTimestamp.Time)); err != nil {
			return Token{}, err
		}
	}
	return describe(t, made), nil
}

// tokenSecret is the Secret of a token made at the given time.
func tokenSecret(t Token, r Request, now time.Time) *corev1.Secret {
	data := map[string][]byte{
		api.BootstrapTokenIDKey:               []byte(t.ID),
		api.BootstrapTokenSecretKey:           []byte(t.reveal()),
		api.BootstrapTokenExpirationKey:       []byte(now.Add(r.TTL).UTC().Format(time.RFC3339)),
		api.BootstrapTokenUsageSigningKey:     []byte("true"),
		api.BootstrapTokenUsageAuthentication: []byte("true"),
		api.BootstrapTokenExtraGroupsKey:      []byte(NodeGroup),
	}
	if r.Description != "" {
		data[api.BootstrapTokenDescriptionKey] = []byte(r.Description)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: t.SecretName(), Namespace: metav1.NamespaceSystem, Labels: map[string]string{Label: "token"}},
		Type:       api.SecretTypeBootstrapToken,
		Data:       data,
	}
}

func create(ctx context.Context, client kubernetes.Interface, r Request, secret *corev1.Secret) (*corev1.Secret, error) {
	var opts metav1.CreateOptions
	if r.DryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	made, err := client.CoreV1().Secrets(secret.Namespace).Create(ctx, secret, opts)
	switch {
	case apierrors.IsAlreadyExists(err):
		id := string(secret.Data[api.BootstrapTokenIDKey])
		return nil, plan.Refuse(fmt.Errorf("bootstrap token %s exists", id),
			"reuse it by its id alone, choose another, or delete it: kubectl -n %s delete secret "+
				"%s", text.Quote(secret.Namespace), text.Quote(secret.Name))
	case err != nil:
		return nil, fmt.Errorf("create secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return made, nil
}

// readToken reads a token's Secret. One that is not there is refused, with an
// error that is still a NotFound.
func readToken(ctx context.Context, client kubernetes.Interface, id string) (*corev1.Secret, error) {
	name := util.BootstrapTokenSecretName(id)
	secret, err := client.CoreV1().Secrets(metav1.NamespaceSystem).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, plan.Refuse(fmt.Errorf("there is no bootstrap token %s: %w", id, err),
			"it may have expired; leave the token out to have one made")
	case err != nil:
		return nil, fmt.Errorf("get secret %s/%s: %w", metav1.NamespaceSystem, name, err)
	}
	return secret, nil
}

// reuse reads an existing token.
func reuse(ctx context.Context, client kubernetes.Interface, id string) (Token, error) {
	secret, err := readToken(ctx, client, id)
	if err != nil {
		return Token{}, err
	}
	if fault := unfit(secret, id, time.Now()); fault != "" {
		return Token{}, plan.Refuse(fmt.Errorf("bootstrap token %s cannot join a host: %s", id, fault),
			"leave the token out to have one made")
	}
	t := newToken(id, secrets.GetData(secret, api.BootstrapTokenSecretKey))
	return describe(t, secret), nil
}

// unfit says why a Secret is no token that can join a host; empty means it is
// one. The rules are those of the API server's authenticator and of the signer
// (Kubernetes 1.36), which apply them in silence.
func unfit(secret *corev1.Secret, id string, now time.Time) string {
	groups, err := secrets.GetGroups(secret)
	switch {
	case secret.DeletionTimestamp != nil:
		return "it is being deleted"
	case secret.Type != api.SecretTypeBootstrapToken:
		return "its secret is of another type"
	case secrets.GetData(secret, api.BootstrapTokenIDKey) != id:
		return "its secret holds another id"
	case !util.IsValidBootstrapToken(util.TokenFromIDAndSecret(id, secrets.GetData(secret, api.BootstrapTokenSecretKey))):
		return "its secret half is malformed"
	case secrets.HasExpired(secret, now):
		return "it has expired"
	case secrets.GetData(secret, api.BootstrapTokenUsageAuthentication) != "true":
		return "it may not be used for authentication"
	case secrets.GetData(secret, api.BootstrapTokenUsageSigningKey) != "true":
		return "it may not be used for signing"
	case err != nil:
		return "one of its groups is malformed"
	case !slices.Contains(groups, NodeGroup):
		return "it is not in the group " + NodeGroup
	}
	return ""
}

// describe adds to a token what its Secret says about it.
func describe(t Token, secret *corev1.Secret) Token {
	t.created = secret.CreationTimestamp.Time
	_, ours := secret.Labels[Label]
	t.Foreign = !ours
	// Unfit tokens were refused before: what does not parse here is absent.
	t.Expires, _ = time.Parse(time.RFC3339, secrets.GetData(secret, api.BootstrapTokenExpirationKey))
	return t
}

// Revoke deletes the token's Secret; from then on the API server accepts it no
// more. A token that is gone already is fine.
func Revoke(ctx context.Context, client kubernetes.Interface, t Token) error {
	err := client.CoreV1().Secrets(metav1.NamespaceSystem).Delete(ctx, t.SecretName(), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete secret %s/%s: %w", metav1.NamespaceSystem, t.SecretName(), err)
	}
	return nil
}
