// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// authority is a certificate authority with its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key := newKey(t)
	return authority{selfSigned(t, name, key, nil), key}
}

// selfSigned is the certificate of an authority, with a change.
func selfSigned(t *testing.T, name string, key *ecdsa.PrivateKey, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(time.Hour),
		IsCA:     true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if change != nil {
		change(template)
	}
	return certificate(t, template, template, key.Public(), key)
}

func certificate(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// serving is a certificate of an API server, signed by the authority.
func (a authority) serving(t *testing.T, key *ecdsa.PrivateKey, names ...string) *x509.Certificate {
	t.Helper()
	return certificate(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter:    time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: names,
	}, a.cert, key.Public(), a.key)
}

func pemOf(cas ...*x509.Certificate) string {
	var out strings.Builder
	for _, ca := range cas {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}))
	}
	return out.String()
}

func TestWhatHostsAreGivenIsComparedWithWhatTheClusterUses(t *testing.T) {
	now, old, between := newAuthority(t, "kubernetes"), newAuthority(t, "kubernetes"), newAuthority(t, "balancer")
	renewed := selfSigned(t, "kubernetes", now.key, nil)
	key := newKey(t)
	served, foreign := now.serving(t, key, "api"), between.serving(t, key, "api")
	list := func(cas ...*x509.Certificate) []*x509.Certificate { return cas }
	const proven, likely, otherName = "have): every host would refuse it", "that the cluster does not use", "is not for api, which"
	for name, c := range map[string]struct {
		info, roots, chain []*x509.Certificate
		want               []string
		certain            bool
	}{
		"one authority everywhere": {list(now.cert), list(now.cert), list(served), nil, false},
		"an older one in cluster-info, by a look": {list(old.cert), list(now.cert), list(served),
			[]string{proven}, true},
		"an older one in cluster-info, without a look": {list(old.cert), list(now.cert), nil, []string{likely}, false},
		"an older one beside the one that is used": {list(old.cert, now.cert), list(now.cert),
			list(served), nil, false},
		"one that was renewed with its key": {list(now.cert), list(renewed), list(served), nil, false},
		"pods that are jointest.Given both while the authority is changed": {list(now.cert), list(now.cert, old.cert),
			list(served), nil, false},
		"pods that trust both, hosts the one that signs no more": {list(old.cert), list(now.cert, old.cert), list(served),
			[]string{proven}, true},
		"pods that are jointest.Given the older one, hosts the one that is right": {list(now.cert), list(old.cert), list(served),
			[]string{likely}, false},
		"something on the way that ends the connection": {list(now.cert), list(now.cert), list(foreign), nil, false},
		"something on the way, and an older authority": {list(old.cert), list(now.cert), list(foreign),
			[]string{likely}, false},
		"nothing to compare with": {list(old.cert), nil, nil, nil, false},
		"a certificate that is for another name": {list(now.cert), list(now.cert),
			list(now.serving(t, key, "other")), []string{otherName}, false},
		"another name, and nothing but cluster-info to know it by": {list(now.cert), nil, list(now.serving(t, key, "other")),
			[]string{otherName}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := trust{info: c.info, roots: c.roots, chain: c.chain, endpoint: "api:6443", now: time.Now()}.warnings()
			wantWarnings(t, got, c.want...)
			if refused := (Cluster{Warnings: got}).Refusal(); (refused != nil) != c.certain {
				t.Errorf("refused: %v, want %t", refused, c.certain)
			}
		})
	}
}

func TestAnAuthorityThatHostsWouldNotTrustIsNamed(t *testing.T) {
	key := newKey(t)
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		want   []string
	}{
		"a living one is fine": {nil, nil},
		"one that has expired": {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) },
			[]string{"(CN=kubernetes) expired on"}},
		"one that is not valid yet": {func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, []string{"is not valid before"}},
		"one that is no authority": {func(c *x509.Certificate) { c.IsCA = false; c.KeyUsage = 0 },
			[]string{"is the certificate of no authority"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantWarnings(t, authorityWarnings([]*x509.Certificate{selfSigned(t, "kubernetes", key, c.change)}, time.Now()), c.want...)
		})
	}
}

func TestSurveyComparesClusterInfoWithTheClustersOwnAuthorities(t *testing.T) {
	objects := kubeadmObjects(t)
	for _, o := range objects {
		if cm, ok := o.(*corev1.ConfigMap); ok && cm.Name == "kube-root-ca.crt" {
			cm.Data["ca.crt"] = string(bundle(t, "ca-ecdsa.crt"))
		}
	}
	client := fake.NewClientset(objects...)
	jointest.Allow(client, jointest.Nothing)
	got, err := Survey(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	wantWarnings(t, got.Warnings, "that the cluster does not use")
}

func TestTheKubeletsConfigurationMustBeThere(t *testing.T) {
	for name, c := range map[string]struct {
		content *corev1.ConfigMap
		want    string
	}{
		"it is gone":          {nil, "there is no configmap kube-system/kubelet-config"},
		"it is empty":         {&corev1.ConfigMap{}, "holds no KubeletConfiguration"},
		"it is another thing": {&corev1.ConfigMap{Data: map[string]string{"kubelet": "kind: Other"}}, "holds no KubeletConfiguration"},
		"it is no YAML":       {&corev1.ConfigMap{Data: map[string]string{"kubelet": "a: ["}}, "holds no KubeletConfiguration"},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []runtime.Object
			for _, o := range kubeadmObjects(t) {
				if cm, ok := o.(*corev1.ConfigMap); !ok || cm.Name != "kubelet-config" {
					objects = append(objects, o)
				}
			}
			if c.content != nil {
				c.content.ObjectMeta = metav1.ObjectMeta{Namespace: "kube-system", Name: "kubelet-config"}
				objects = append(objects, c.content)
			}
			client := fake.NewClientset(objects...)
			jointest.Allow(client, jointest.Nothing)
			got, err := Survey(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			wantWarnings(t, got.Warnings, c.want)
			refusal := got.Refusal()
			jointest.WantRefusal(t, refusal, c.want)
			if !strings.Contains(plan.HintOf(refusal), "kubeadm init phase upload-config kubelet") {
				t.Errorf("the hint is %q", plan.HintOf(refusal))
			}
		})
	}
}

// stand is an API server that answers requests for ConfigMaps: by the token, or
// "" for a stranger.
func stand(t *testing.T, ca authority, answers func(token string) int) *rest.Config {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(answers(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
	}))
	key := newKey(t)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{ca.serving(t, key, "api").Raw}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return &rest.Config{
		Host: server.URL, BearerToken: "a person's own",
		TLSClientConfig: rest.TLSClientConfig{CAData: []byte(pemOf(ca.cert)), ServerName: "api"},
	}
}

func TestAStrangerIsAnsweredAsItReallyIs(t *testing.T) {
	used, old := newAuthority(t, "kubernetes"), newAuthority(t, "kubernetes")
	for name, c := range map[string]struct {
		code int
		info *x509.Certificate
		path string
		want []string
	}{
		"with cluster-info": {http.StatusOK, used.cert, "", nil},
		"with cluster-info, by a server that it refuses": {http.StatusOK, old.cert, "", []string{"every host would refuse it"}},
		"not at all, whatever its rights are": {http.StatusUnauthorized, used.cert, "",
			[]string{"anonymous request for cluster-info (401)"}},
		"with a denial": {http.StatusForbidden, used.cert, "",
			[]string{"anonymous request for cluster-info (403)"}},
		"by a proxy for several clusters, which is not it": {http.StatusUnauthorized, used.cert, "/k8s/clusters/c-1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			config := stand(t, used, func(token string) int {
				if token != "" {
					t.Error("the person's credentials were used")
				}
				return c.code
			})
			config.Host += c.path
			cluster := Cluster{Endpoint: "api:6443", CA: pemOf(c.info), ClusterCA: pemOf(used.cert)}
			cluster.Compare(LookFromOutside(t.Context(), config), time.Now())
			wantWarnings(t, cluster.Warnings, c.want...)
		})
	}
}

func TestATokenIsTriedBeforeItIsShown(t *testing.T) {
	ca := newAuthority(t, "kubernetes")
	for name, c := range map[string]struct {
		stranger, early, late int
		want                  string
	}{
		"one that is accepted":                     {http.StatusOK, http.StatusOK, http.StatusOK, ""},
		"one that the server does not know yet":    {http.StatusOK, http.StatusUnauthorized, http.StatusOK, ""},
		"one that may not read is known, at least": {http.StatusOK, http.StatusForbidden, http.StatusForbidden, ""},
		"where tokens are switched off": {http.StatusOK, http.StatusUnauthorized, http.StatusUnauthorized,
			"the API server does not accept bootstrap token abcdef"},
		"not where strangers are refused": {http.StatusUnauthorized, http.StatusUnauthorized, http.StatusUnauthorized, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			outside := LookFromOutside(t.Context(), stand(t, ca, func(token string) int {
				switch {
				case token == "":
					return c.stranger
				case token != jointest.Given:
					t.Errorf("a wrong token was used")
				case tries.Add(1) == 1:
					return c.early
				}
				return c.late
			}))
			outside.patience = 4 * tokenPause
			err := outside.TryToken(t.Context(), token(t))
			if (err == nil) != (c.want == "") ||
				(err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(plan.HintOf(err), "--enable-bootstrap-token-auth=true"))) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error()+plan.HintOf(err), jointest.GivenSecret) {
				t.Error("the error shows the secret")
			}
		})
	}
	t.Run("without a server nothing is tried", func(t *testing.T) {
		outside := LookFromOutside(t.Context(), &rest.Config{Host: "https://127.0.0.1:1"})
		if err := outside.TryToken(t.Context(), token(t)); err != nil {
			t.Error(err)
		}
	})
	t.Run("an end that a person asked for is one", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		outside := LookFromOutside(t.Context(), stand(t, ca, func(token string) int {
			if token == "" {
				return http.StatusOK
			}
			cancel()
			return http.StatusUnauthorized
		}))
		if err := outside.TryToken(ctx, token(t)); plan.ClassOf(err) != plan.Interrupted || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
