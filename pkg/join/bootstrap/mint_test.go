// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/cluster-bootstrap/token/util"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func mustParse(t *testing.T, text string) Token {
	t.Helper()
	token, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestParseToken(t *testing.T) {
	tests := []struct {
		name, text    string
		reference, ok bool
	}{
		{name: "a whole token is to be made", text: jointest.Given, ok: true},
		{name: "an id alone refers to an existing one", text: "abcdef", reference: true, ok: true},
		{name: "nothing is malformed", text: ""},
		{name: "capitals are malformed", text: "ABCDEF." + jointest.GivenSecret},
		{name: "a short secret is malformed", text: "abcdef.0123456789abcde"},
		{name: "a newline at the end is malformed", text: jointest.Given + "\n"},
		{name: "three parts are malformed", text: jointest.Given + ".x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.text)
			if !tt.ok {
				jointest.WantClass(t, err, plan.Misused, "malformed bootstrap token")
				if strings.Contains(err.Error()+plan.HintOf(err), jointest.GivenSecret[:8]) {
					t.Errorf("the error repeats what was given: %v", err)
				}
				return
			}
			if err != nil || got.IsReference() != tt.reference || got.ID != "abcdef" {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestATokenNeverPrintsItsSecret(t *testing.T) {
	token := mustParse(t, jointest.Given)
	type inside struct {
		Token  Token
		hidden Token
	}
	encoded, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	in := inside{token, token}
	for _, text := range []string{
		fmt.Sprint(token), fmt.Sprintf("%v %+v %#v %s %q %x", token, token, token, token, token, token),
		fmt.Sprintf("%v %+v %#v", in, in, in), fmt.Sprintf("%+v", &in), fmt.Sprintf("%+v", Request{Token: token}), string(encoded),
	} {
		if strings.Contains(text, jointest.GivenSecret) || strings.Contains(text, fmt.Sprintf("%x", jointest.GivenSecret)) {
			t.Errorf("the secret shows: %s", text)
		}
	}
}

func TestRequestValidate(t *testing.T) {
	tests := []struct {
		name    string
		request Request
		wantErr string
	}{
		{"an hour is fine", Request{TTL: time.Hour}, ""},
		{"a day is the most", Request{TTL: maxTTL}, ""},
		{"more than a day is out of bounds", Request{TTL: maxTTL + 1}, "out of bounds"},
		{"never is refused", Request{}, "never expires"},
		{"less than a minute is out of bounds", Request{TTL: time.Second}, "out of bounds"},
		{"less than nothing is out of bounds", Request{TTL: -time.Hour}, "out of bounds"},
		{"an existing token has its own", Request{Token: Token{ID: "abcdef"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			jointest.WantClass(t, tt.request.Validate(), plan.Misused, tt.wantErr)
		})
	}
}

func TestMintMakesTheSecretThatKubeadmWould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		token, err := Mint(t.Context(), client, Request{Token: mustParse(t, jointest.Given), TTL: time.Hour, Description: "for worker-3"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.CoreV1().Secrets("kube-system").Get(t.Context(), "bootstrap-token-abcdef", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]byte{
			"token-id": []byte("abcdef"), "token-secret": []byte(jointest.GivenSecret), "description": []byte("for worker-3"),
			"expiration":              []byte(time.Now().Add(time.Hour).UTC().Format(time.RFC3339)),
			"usage-bootstrap-signing": []byte("true"), "usage-bootstrap-authentication": []byte("true"),
			"auth-extra-groups": []byte("system:bootstrappers:kubeadm:default-node-token"),
		}
		if diff := cmp.Diff(want, got.Data); diff != "" || got.Type != "bootstrap.kubernetes.io/token" {
			t.Errorf("type %s, data %s", got.Type, diff)
		}
		if !token.Expires.Equal(time.Now().Add(time.Hour)) || token.Foreign {
			t.Errorf("got %+v, expires %s", token, token.Expires)
		}
		if fault := unfit(got, "abcdef", time.Now()); fault != "" {
			t.Errorf("our own token is unfit: %s", fault)
		}
	})
}

func TestMintGeneratesAnotherTokenEachTime(t *testing.T) {
	client := fake.NewClientset()
	one, err1 := Mint(t.Context(), client, Request{TTL: time.Hour})
	two, err2 := Mint(t.Context(), client, Request{TTL: time.Hour})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if one.Whole() == two.Whole() || !util.IsValidBootstrapToken(one.Whole()) || !util.IsValidBootstrapToken(two.Whole()) {
		t.Errorf("bad tokens: ids %s, %s", one.ID, two.ID)
	}
}

func TestMintRefusesAnIDThatIsTaken(t *testing.T) {
	client := fake.NewClientset(liveSecret(nil))
	_, err := Mint(t.Context(), client, Request{Token: mustParse(t, jointest.Given), TTL: time.Hour})
	jointest.WantRefusal(t, err, "bootstrap token abcdef exists")
	if strings.Contains(err.Error()+plan.HintOf(err), jointest.GivenSecret) {
		t.Error("the error shows the secret")
	}
}

func TestMintByTheServersClockWhenOursIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := time.Now().Add(3 * time.Hour)
		client := fake.NewClientset()
		client.PrependReactor("create", "secrets", func(a clienttesting.Action) (bool, runtime.Object, error) {
			a.(clienttesting.CreateAction).GetObject().(*corev1.Secret).CreationTimestamp = metav1.NewTime(server)
			return false, nil, nil
		})
		token, err := Mint(t.Context(), client, Request{TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if want := server.Add(time.Hour); !token.Expires.Equal(want) {
			t.Errorf("expires %s, want %s", token.Expires, want)
		}
	})
}

func TestMintPassesADryRunOn(t *testing.T) {
	client := fake.NewClientset()
	if _, err := Mint(t.Context(), client, Request{TTL: time.Hour, DryRun: true}); err != nil {
		t.Fatal(err)
	}
	for _, action := range client.Actions() {
		if create, ok := action.(clienttesting.CreateActionImpl); !ok || !cmp.Equal(create.CreateOptions.DryRun, []string{"All"}) {
			t.Errorf("not a dry run: %v", action)
		}
	}
}

// liveSecret is the Secret of a good token, with a change.
func liveSecret(change func(*corev1.Secret)) *corev1.Secret {
	s := tokenSecret(newToken("abcdef", jointest.GivenSecret), Request{TTL: time.Hour}, time.Now())
	if change != nil {
		change(s)
	}
	return s
}

func TestReuse(t *testing.T) {
	set := func(key, value string) func(*corev1.Secret) {
		return func(s *corev1.Secret) { s.Data[key] = []byte(value) }
	}
	tests := []struct {
		name    string
		change  func(*corev1.Secret)
		wantErr string
	}{
		{"a good token is taken", nil, ""},
		{"one of somebody else is taken", func(s *corev1.Secret) { s.Labels = nil }, ""},
		{"one that never expires is taken", func(s *corev1.Secret) { delete(s.Data, "expiration") }, ""},
		{"an expired one is refused", set("expiration", "2020-01-01T00:00:00Z"), "it has expired"},
		{"an expiration nobody can read counts as expired", set("expiration", "tomorrow"), "it has expired"},
		{"one that may not authenticate is refused", set("usage-bootstrap-authentication", "yes"), "authentication"},
		{"one that may not sign is refused", set("usage-bootstrap-signing", ""), "signing"},
		{"one outside kubeadm's group is refused", set("auth-extra-groups", "system:bootstrappers:other"), "not in the group"},
		{"one with a malformed group is refused", set("auth-extra-groups", "root"), "groups is malformed"},
		{"a secret of another type is refused", func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque }, "another type"},
		{"one that holds another id is refused", set("token-id", "ghijkl"), "another id"},
		{"one with a malformed secret half is refused", set("token-secret", "x"), "malformed"},
		{"one that is being deleted is refused", func(s *corev1.Secret) {
			s.DeletionTimestamp, s.Finalizers = &metav1.Time{Time: time.Now()}, []string{"x"}
		}, "being deleted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			secret := liveSecret(tt.change)
			client := fake.NewClientset(secret)
			got, err := Mint(t.Context(), client, Request{Token: mustParse(t, "abcdef")})
			jointest.WantRefusal(t, err, tt.wantErr)
			if _, ours := secret.Labels[Label]; err == nil && (got.Whole() != jointest.Given || got.Foreign == ours) {
				t.Errorf("got %v", got)
			}
		})
	}
	_, err := Mint(t.Context(), fake.NewClientset(), Request{Token: mustParse(t, "abcdef")})
	jointest.WantRefusal(t, err, "there is no bootstrap token abcdef")
}

func TestRevokeIsDoneWhenTheTokenIsGone(t *testing.T) {
	client := fake.NewClientset(liveSecret(nil))
	for range 2 {
		if err := Revoke(t.Context(), client, mustParse(t, jointest.Given)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.CoreV1().Secrets("kube-system").Get(t.Context(), "bootstrap-token-abcdef",
		metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the token is there: %v", err)
	}
}
