// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	joinToken = "abcdef.0123456789abcdef"
	joinLine  = "kubeadm join api:6443 --token " + joinToken + " --discovery-token-ca-cert-hash "
)

// joinBed is a fake kubeadm cluster, and what a command wrote.
type joinBed struct {
	*testing.T
	client   *fake.Clientset
	pin      string
	out, err bytes.Buffer
}

func newJoinBed(t *testing.T) *joinBed {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	info, err := clientcmd.Write(clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{"": {
		Server: "https://api:6443", CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	b := &joinBed{T: t, pin: join.Pin(ca), client: fake.NewClientset(
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "cluster-info"},
			Data: map[string]string{"kubeconfig": string(info)}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kubeadm-config"},
			Data: map[string]string{"ClusterConfiguration": "kind: ClusterConfiguration\ncontrolPlaneEndpoint: api:6443\nkubernetesVersion: " +
				"v1.36.3\n"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kubelet-config"},
			Data: map[string]string{"kubelet": "kind: KubeletConfiguration\n"}},
	)}
	b.client.PrependReactor("create", "subjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &authorizationv1.SubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}, nil
	})
	return b
}

// sign is the bootstrapsigner: it signs cluster-info with every new token.
func (b *joinBed) sign() {
	b.client.PrependReactor("create", "secrets", func(a clienttesting.Action) (bool, runtime.Object, error) {
		secret := a.(clienttesting.CreateAction).GetObject().(*corev1.Secret)
		maps := b.client.CoreV1().ConfigMaps("kube-public")
		go func() {
			cm, err := maps.Get(context.Background(), "cluster-info", metav1.GetOptions{})
			if err != nil {
				return
			}
			id := string(secret.Data["token-id"])
			cm.Data["jws-kubeconfig-"+id] = signed(cm.Data["kubeconfig"], id, secret.Data["token-secret"])
			_, _ = maps.Update(context.Background(), cm, metav1.UpdateOptions{})
		}()
		return false, nil, nil
	})
}

// signed is a detached JSON Web Signature with HS256.
func signed(content, id string, secret []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	header := encode([]byte(`{"alg":"HS256","kid":"` + id + `"}`))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(header + "." + encode([]byte(content))))
	return header + ".." + encode(mac.Sum(nil))
}

func (b *joinBed) run(ctx context.Context, args ...string) error {
	e := env.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &b.out, ErrOut: &b.err}, "dev")
	e.Client = func() (kubernetes.Interface, error) { return b.client, nil }
	e.Config = func() (*rest.Config, error) { return nil, errors.New("there is no server") }
	cmd := newJoinCommand(commands{e})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	return cmd.ExecuteContext(ctx)
}

// tokens lists the names of all token Secrets.
func (b *joinBed) tokens() []string {
	b.Helper()
	list, err := b.client.CoreV1().Secrets("kube-system").List(context.Background(), metav1.ListOptions{})
	if err != nil {
		b.Fatal(err)
	}
	var names []string
	for _, s := range list.Items {
		names = append(names, s.Name)
	}
	return names
}

// check compares stdout, and looks for parts of stderr and for the secret in it.
func (b *joinBed) check(err error, code int, stdout string, stderr ...string) {
	b.Helper()
	if int(plan.ClassOf(err)) != code {
		b.Errorf("exit code %d, want %d: %v", plan.ClassOf(err), code, err)
	}
	if got := b.out.String(); got != stdout {
		b.Errorf("stdout is %q, want %q", got, stdout)
	}
	all := b.err.String()
	if err != nil {
		all += err.Error() + plan.HintOf(err)
	}
	for _, part := range stderr {
		if !strings.Contains(all, part) {
			b.Errorf("stderr lacks %q:\n%s", part, all)
		}
	}
	if strings.Contains(all, "0123456789abcdef") {
		b.Errorf("stderr shows the secret:\n%s", all)
	}
}

func TestJoinPrintsTheCommandAlone(t *testing.T) {
	for _, format := range [][]string{nil, {"-o", "command"}} {
		synctest.Test(t, func(t *testing.T) {
			b := newJoinBed(t)
			b.sign()
			err := b.run(t.Context(), append(format, "--bootstrap-token", joinToken)...)
			b.check(err, 0, joinLine+b.pin+"\n", "run it as root on the host, which needs kubeadm and kubelet of v1.36.3",
				"kubectl lifecycle join --wait --bootstrap-token abcdef")
			if got := b.tokens(); len(got) != 1 || got[0] != "bootstrap-token-abcdef" {
				t.Errorf("tokens: %v", got)
			}
		})
	}
}

func TestJoinPrintsJSONWithoutTheSecretButInTheCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newJoinBed(t)
		b.sign()
		if err := b.run(t.Context(), "--bootstrap-token", joinToken, "-o", "json"); err != nil {
			t.Fatal(err)
		}
		var got joined
		if err := json.Unmarshal(b.out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Command != joinLine+b.pin || got.Token.ID != "abcdef" || got.Cluster.Endpoint != "api:6443" {
			t.Errorf("got %+v", got)
		}
		if n := strings.Count(b.out.String(), "0123456789abcdef"); n != 1 {
			t.Errorf("the secret shows %d times", n)
		}
	})
}

func TestTheFlagsOfAControlPlaneMakeSense(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a token that others may use": {[]string{"--bootstrap-token", "abcdef"}, "the id of an existing one"},
		"a script":                    {[]string{"-o", "script"}, "--ssh"},
		"user data":                   {[]string{"-o", "cloud-init", "--dry-run"}, "the printed command"},
		"longer than kubeadm's own":   {[]string{"--ttl", "3h"}, "for 2h0m0s at most"},
		"one that exists, and --ssh":  {[]string{"--bootstrap-token", "abcdef", "--ssh", "root@x"}, "--bootstrap-token"},
	} {
		b := newJoinBed(t)
		err := b.run(t.Context(), append(c.args, "--control-plane")...)
		if plan.ClassOf(err) != plan.Misused || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if len(b.client.Actions()) > 0 {
			t.Errorf("%s: asked %v", name, b.client.Actions())
		}
	}
}

func TestJoinInADryRunMakesNothing(t *testing.T) {
	for _, mode := range []string{"client", "server"} {
		synctest.Test(t, func(t *testing.T) {
			b := newJoinBed(t)
			err := b.run(t.Context(), "--dry-run="+mode, "--node-name", "w3")
			want := strings.Replace(joinLine, joinToken, "xxxxxx.xxxxxxxxxxxxxxxx", 1) + b.pin + " --node-name w3\n"
			b.check(err, 0, want, "dry run: nothing was made")
			for _, action := range b.client.Actions() {
				create, ok := action.(clienttesting.CreateActionImpl)
				if !ok || action.GetResource().Resource != "secrets" {
					continue
				}
				if mode == "client" || len(create.CreateOptions.DryRun) == 0 {
					t.Errorf("--dry-run=%s made a secret", mode)
				}
			}
		})
	}
}

func TestJoinRefusesWrongUsageBeforeAnything(t *testing.T) {
	for _, args := range [][]string{
		{"--bootstrap-token", "abc"}, {"--ttl", "0"}, {"--ttl", "48h"}, {"--node-name", "A B"}, {"-o", "wide"}, {"--dry-run=maybe"},
		{"--wait", "--dry-run"}, {"--timeout", "1m"}, {"--wait", "--timeout", "-1s"}, {"--cri-socket", "x"}, {"--ignore-preflight-errors", "a b"},
	} {
		b := newJoinBed(t)
		b.check(b.run(t.Context(), args...), 2, "")
		if n := len(b.client.Actions()); n > 0 {
			t.Errorf("%v: %d requests were made", args, n)
		}
	}
}

func TestJoinWithoutASignerTimesOutAndLeavesNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newJoinBed(t)
		b.check(b.run(t.Context()), 5, "", "timed out waiting for the bootstrapsigner controller", "--controllers=*,bootstrapsigner")
		if got := b.tokens(); len(got) > 0 {
			t.Errorf("tokens: %v", got)
		}
	})
}

func TestJoinWaitRevokesTheTokenWhenTheNodeIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newJoinBed(t)
		b.sign()
		go b.arrive(corev1.ConditionTrue)
		err := b.run(t.Context(), "--wait", "--bootstrap-token", joinToken)
		b.check(err, 0, joinLine+b.pin+"\n", "node/w3 joined")
		if got := b.tokens(); len(got) > 0 {
			t.Errorf("tokens: %v", got)
		}
	})
}

func TestJoinWaitGivenUp(t *testing.T) {
	tests := []struct {
		name   string
		node   corev1.ConditionStatus // "" for a host that never comes
		tokens int
		stderr []string
	}{
		{"before a host came keeps the token", "", 1, []string{"timed out waiting for a host", "token abcdef lives until",
			"kubectl lifecycle join revoke abcdef"}},
		{"with a node that is not Ready revokes it", corev1.ConditionFalse, 0, []string{"timed out waiting for host w3 to be Ready: slow",
			"token abcdef was revoked"}},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			b := newJoinBed(t)
			b.sign()
			if tt.node != "" {
				go b.arrive(tt.node)
			}
			err := b.run(t.Context(), "--wait", "--timeout", "2m", "--bootstrap-token", joinToken)
			b.check(err, 5, joinLine+b.pin+"\n", tt.stderr...)
			if got := b.tokens(); len(got) != tt.tokens {
				t.Errorf("%s: tokens: %v", tt.name, got)
			}
		})
	}
}

// arrive is a host that comes after a while.
func (b *joinBed) arrive(ready corev1.ConditionStatus) {
	time.Sleep(30 * time.Second)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	subject := pkix.Name{CommonName: "system:node:w3", Organization: []string{"system:nodes"}}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	_, _ = b.client.CertificatesV1().CertificateSigningRequests().Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "csr-1", CreationTimestamp: metav1.NewTime(time.Now())},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Username: "system:bootstrap:abcdef", SignerName: certificatesv1.KubeAPIServerClientKubeletSignerName,
			Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		},
		Status: certificatesv1.CertificateSigningRequestStatus{Certificate: []byte("certificate")},
	}, metav1.CreateOptions{})
	time.Sleep(2 * time.Second)
	_, _ = b.client.CoreV1().Nodes().Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "w3", CreationTimestamp: metav1.NewTime(time.Now())},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, Message: "slow"}}},
	}, metav1.CreateOptions{})
}
