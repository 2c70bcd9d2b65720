// SPDX-License-Identifier: Apache-2.0

package certificates_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/certificates"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const system = metav1.NamespaceSystem

func secret(name string, uid types.UID, change ...func(*corev1.Secret)) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: name, UID: uid}}
	for _, c := range change {
		c(s)
	}
	return s
}

func of(name string, uid types.UID) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Secret", Name: name, UID: uid}}
	}
}

func ours(s *corev1.Secret) { s.Labels = map[string]string{bootstrap.Label: "certificates"} }

func token(t *testing.T, id string) bootstrap.Token {
	t.Helper()
	tok, err := bootstrap.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestControlPlanesJoinOneAtATime(t *testing.T) {
	for name, c := range map[string]struct {
		there   []runtime.Object
		refused bool
		hint    string
	}{
		"none joins": {nil, false, ""},
		"one joins by this program": {[]runtime.Object{secret("bootstrap-token-abcdef", "1"),
			secret("kubeadm-certs", "2", ours, of("bootstrap-token-abcdef", "1"))}, true, "kubectl lifecycle join revoke abcdef"},
		"one joins by kubeadm's own": {[]runtime.Object{secret("bootstrap-token-abcdef", "1"),
			secret("kubeadm-certs", "2", of("bootstrap-token-abcdef", "1"))}, true, "kubectl -n kube-system delete secret kubeadm-certs"},
		"one was uploaded for ever": {[]runtime.Object{secret("kubeadm-certs", "2")}, true, "delete secret kubeadm-certs"},
		"the token of the earlier one is gone": {[]runtime.Object{secret("kubeadm-certs", "2", ours, of("bootstrap-token-abcdef", "1"))},
			false, ""},
		"another token has its name now": {[]runtime.Object{secret("bootstrap-token-abcdef", "3"),
			secret("kubeadm-certs", "2", of("bootstrap-token-abcdef", "1"))}, false, ""},
		"an owner's name that is no token's": {[]runtime.Object{secret("bootstrap-token-$(x)", "1"),
			secret("kubeadm-certs", "2", ours, of("bootstrap-token-$(x)", "1"))}, true, "kubectl -n kube-system delete secret kubeadm-certs"},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(append(c.there, secret("bootstrap-token-123456", "9"))...)
			_, err := certificates.Publish(t.Context(), client, token(t, "123456"), map[string][]byte{"ca.key": []byte("sealed")})
			if vacant := certificates.Vacant(t.Context(), client); c.refused && vacant == nil {
				t.Error("it is not refused beforehand")
			}
			if !c.refused {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), c.hint) {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
			if there, err := client.CoreV1().Secrets(system).Get(t.Context(), "kubeadm-certs", metav1.GetOptions{}); err != nil || there.UID != "2" {
				t.Errorf("the other's certificates were touched: %v", err)
			}
		})
	}
}

func TestWhatWasPublishedBelongsToTheTokenAndIsDeleted(t *testing.T) {
	client := fake.NewClientset(secret("bootstrap-token-123456", "9"))
	made, err := certificates.Publish(t.Context(), client, token(t, "123456"), map[string][]byte{"ca.key": []byte("sealed")})
	if err != nil {
		t.Fatal(err)
	}
	role, err := client.RbacV1().Roles(system).Get(t.Context(), "kubeadm:kubeadm-certs", metav1.GetOptions{})
	if err != nil || len(role.Rules) != 1 || len(role.Rules[0].Verbs) != 1 || role.Rules[0].ResourceNames[0] != "kubeadm-certs" {
		t.Errorf("hosts may do %v, %v", role, err)
	}
	binding, err := client.RbacV1().RoleBindings(system).Get(t.Context(), "kubeadm:kubeadm-certs", metav1.GetOptions{})
	if err != nil || binding.OwnerReferences[0].UID != "9" || role.OwnerReferences[0].UID != "9" {
		t.Errorf("they do not go with the token: %v, %v", binding, err)
	}
	if err := certificates.Withdraw(t.Context(), client, made); err != nil {
		t.Fatal(err)
	}
	if err := certificates.Withdraw(t.Context(), client, made); err != nil {
		t.Errorf("twice: %v", err)
	}
	for _, action := range client.Actions() {
		if action.GetVerb() == "delete" && action.GetNamespace() != system {
			t.Errorf("deleted elsewhere: %v", action)
		}
	}
	secrets, _ := client.CoreV1().Secrets(system).List(t.Context(), metav1.ListOptions{})
	roles, _ := client.RbacV1().Roles(system).List(t.Context(), metav1.ListOptions{})
	bindings, _ := client.RbacV1().RoleBindings(system).List(t.Context(), metav1.ListOptions{})
	if len(secrets.Items) != 1 || len(roles.Items) != 0 || len(bindings.Items) != 0 {
		t.Errorf("left: %v %v %v", secrets.Items, roles.Items, bindings.Items)
	}
}

func TestWhatKubeadmMadeIsUsedAndStays(t *testing.T) {
	meta := metav1.ObjectMeta{Namespace: system, Name: "kubeadm:kubeadm-certs"}
	client := fake.NewClientset(secret("bootstrap-token-123456", "9"), &rbacv1.Role{ObjectMeta: meta}, &rbacv1.RoleBinding{ObjectMeta: meta})
	made, err := certificates.Publish(t.Context(), client, token(t, "123456"), map[string][]byte{"ca.key": []byte("sealed")})
	if err != nil {
		t.Fatal(err)
	}
	if err := certificates.Withdraw(t.Context(), client, made); err != nil {
		t.Fatal(err)
	}
	if _, err := client.RbacV1().Roles(system).Get(t.Context(), meta.Name, metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := client.RbacV1().RoleBindings(system).Get(t.Context(), meta.Name, metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

// A Role of that name that something else made, with an owner of its own, is not ours to
// replace; that of an earlier join is.
func TestWhatAnotherToolMadeForHostsIsNotReplaced(t *testing.T) {
	owner := []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "5"}}
	for name, c := range map[string]struct {
		labels map[string]string
		uid    types.UID
	}{
		"another tool's":    {nil, "5"},
		"an earlier join's": {map[string]string{bootstrap.Label: "certificates"}, "9"},
	} {
		meta := metav1.ObjectMeta{Namespace: system, Name: "kubeadm:kubeadm-certs", Labels: c.labels, OwnerReferences: owner}
		client := fake.NewClientset(secret("bootstrap-token-123456", "9"), &rbacv1.Role{ObjectMeta: meta}, &rbacv1.RoleBinding{ObjectMeta: meta})
		if _, err := certificates.Publish(t.Context(), client, token(t, "123456"), map[string][]byte{"ca.key": []byte("sealed")}); err != nil {
			t.Fatal(err)
		}
		role, err := client.RbacV1().Roles(system).Get(t.Context(), meta.Name, metav1.GetOptions{})
		if err != nil || role.OwnerReferences[0].UID != c.uid {
			t.Errorf("%s: %v, %v", name, role, err)
		}
		binding, err := client.RbacV1().RoleBindings(system).Get(t.Context(), meta.Name, metav1.GetOptions{})
		if err != nil || binding.OwnerReferences[0].UID != c.uid {
			t.Errorf("%s: %v, %v", name, binding, err)
		}
	}
}

func TestAKeyIsNotPrinted(t *testing.T) {
	key := certificates.NewKey()
	if len(key.Bytes()) != 32 || len(key.Hex()) != 64 || key.Hex() == certificates.NewKey().Hex() {
		t.Errorf("a key of %d bytes", len(key.Bytes()))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if said := fmt.Sprintf(verb, key); strings.Contains(said, key.Hex()) || strings.Contains(said, fmt.Sprintf("%x", key.Bytes()[:8])) {
			t.Errorf("%s shows it", verb)
		}
	}
	if (certificates.Key{}).Hex() != "" {
		t.Error("no key is one")
	}
	if certificates.MaxTTL != 2*time.Hour {
		t.Error("kubeadm's own is two hours")
	}
}
