// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// The names that kubeadm join asks for (kubeadm 1.36, app/constants).
const (
	SecretName = "kubeadm-certs"
	roleName   = "kubeadm:kubeadm-certs"
)

const namespace = metav1.NamespaceSystem

// label is the value of bootstrap.Label on what is made here.
const label = "certificates"

// MaxTTL is how long the certificates may lie in the cluster, as long as kubeadm
// leaves them there: two hours.
const MaxTTL = 2 * time.Hour

// Key encrypts the certificates on their way to one host. It prints as nothing. The
// zero Key is none.
type Key struct {
	// bytes is a function so that not even reflection prints it.
	bytes func() []byte
}

// NewKey makes a key of 32 bytes from crypto/rand.
func NewKey() Key {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return Key{func() []byte { return raw }}
}

// Bytes is the key, for a control plane that encrypts with it.
func (k Key) Bytes() []byte {
	if k.bytes == nil {
		return nil
	}
	return k.bytes()
}

// Hex is the key as kubeadm takes it, for the host that joins; empty for the zero Key.
func (k Key) Hex() string { return hex.EncodeToString(k.Bytes()) }

// Open decrypts a file as kubeadm join does: AES-GCM, the nonce first.
func (k Key) Open(sealed []byte) ([]byte, error) {
	block, err := aes.NewCipher(k.Bytes())
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(sealed) < gcm.NonceSize() {
		return nil, errors.New("it is too short")
	}
	return gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
}

// String hides the key, and so does GoString.
func (k Key) String() string { return "a certificate key" }

// GoString is String.
func (k Key) GoString() string { return k.String() }

// Published are the objects that Publish has made.
type Published struct {
	// owner is the Secret of the token, which all of them belong to.
	owner metav1.OwnerReference
}

// Vacant refuses (class Refused) a cluster in which the certificates of another join
// are, because kubeadm knows one Secret only. One whose token is gone is going, too.
func Vacant(ctx context.Context, client kubernetes.Interface) error {
	secret, err := client.CoreV1().Secrets(namespace).Get(ctx, SecretName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("get secret %s/%s: %w", namespace, SecretName, err)
	}
	stale, err := orphaned(ctx, client, secret)
	if err != nil || stale {
		return err
	}
	way := text.Command("kubectl", "-n", namespace, "delete", "secret", SecretName)
	if id := tokenOf(secret); id != "" && secret.Labels[bootstrap.Label] != "" {
		way = text.Command("kubectl", "lifecycle", "join", "revoke", id)
	}
	return plan.Refuse(fmt.Errorf("another control plane is joining: secret %s/%s holds the certificates for it since %s",
		namespace, SecretName,
		secret.CreationTimestamp.UTC().Format("2006-01-02 15:04:05 UTC")),
		"control planes join one at a time; wait until it has joined, or give it up: %s", way)
}

// orphaned reports whether the token that a Secret belongs to is gone: the garbage
// collector is about to delete it.
func orphaned(ctx context.Context, client kubernetes.Interface, secret *corev1.Secret) (bool, error) {
	if len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0].Kind != "Secret" {
		return false, nil
	}
	ref := secret.OwnerReferences[0]
	owner, err := client.CoreV1().Secrets(namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && owner.UID != ref.UID {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("get secret %s/%s: %w", namespace, text.Brief(ref.Name), err)
	}
	return false, nil
}

// tokenOf is the id of the token that a Secret belongs to; empty if it belongs to none.
func tokenOf(secret *corev1.Secret) string {
	for _, ref := range secret.OwnerReferences {
		const prefix = "bootstrap-token-"
		if len(ref.Name) > len(prefix) && ref.Name[:len(prefix)] == prefix {
			if t, err := bootstrap.Parse(ref.Name[len(prefix):]); err == nil {
				return t.ID
			}
		}
	}
	return ""
}

// Publish makes the Secret with the encrypted files, and the right of hosts with a
// bootstrap token to read it. Its creation is the lock: of two joins the API server
// lets one make it, and the other is refused as by Vacant. All of it belongs to the
// token, so that it goes with that whatever happens here.
func Publish(ctx context.Context, client kubernetes.Interface, token bootstrap.Token, files map[string][]byte) (Published, error) {
	of, err := client.CoreV1().Secrets(namespace).Get(ctx, token.SecretName(), metav1.GetOptions{})
	if err != nil {
		return Published{}, fmt.Errorf("get secret %s/%s: %w", namespace, token.SecretName(), err)
	}
	made := Published{owner: metav1.OwnerReference{APIVersion: "v1", Kind: "Secret", Name: of.Name, UID: of.UID}}
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{bootstrap.Label: label},
			OwnerReferences: []metav1.OwnerReference{made.owner}}
	}
	secrets := client.CoreV1().Secrets(namespace)
	secret := &corev1.Secret{ObjectMeta: meta(SecretName), Data: files}
	_, err = secrets.Create(ctx, secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		if err := replaceOrphan(ctx, client); err != nil {
			return Published{}, err
		}
		_, err = secrets.Create(ctx, secret, metav1.CreateOptions{})
	}
	if err != nil {
		return Published{}, fmt.Errorf("create secret %s/%s: %w", namespace, SecretName, err)
	}
	role := &rbacv1.Role{ObjectMeta: meta(roleName), Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{SecretName}},
	}}
	binding := &rbacv1.RoleBinding{ObjectMeta: meta(roleName),
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: roleName},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: bootstrap.NodeGroup}}}
	if err := grant(ctx, client, role, binding); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // after a Ctrl-C, too
		defer cancel()
		return Published{}, errors.Join(err, Withdraw(ctx, client, made))
	}
	return made, nil
}

// replaceOrphan deletes the Secret of a join whose token is gone, and refuses any other.
func replaceOrphan(ctx context.Context, client kubernetes.Interface) error {
	if err := Vacant(ctx, client); err != nil {
		return err
	}
	secret, err := client.CoreV1().Secrets(namespace).Get(ctx, SecretName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get secret %s/%s: %w", namespace, SecretName, err)
	}
	return ignoreGone(client.CoreV1().Secrets(namespace).Delete(ctx, SecretName, this(secret)), "secret", SecretName)
}
