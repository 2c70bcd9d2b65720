// SPDX-License-Identifier: Apache-2.0

package certcheck

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// authority is an authority's certificate as PEM.
func authority(t *testing.T, name string, ends time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour * 1e4), NotAfter: ends, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// api is an API server that answers what it is given, by path, and 403 to all else.
func api(t *testing.T, answers map[string]string) runner.Cluster {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.URL.Path]
		w.Header().Set("Content-Type", "application/json")
		if !known {
			w.WriteHeader(http.StatusForbidden)
			answer = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	config.CAData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return runner.Cluster{Client: client, Config: config}
}

// asJSON is an object as an API server sends it.
func asJSON(t *testing.T, object any) string {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// all is what an API server answers of a cluster of one node.
func all(t *testing.T) map[string]string {
	t.Helper()
	ca, proxy := authority(t, "kubernetes", time.Now().Add(1e5*time.Hour)), authority(t, "proxy", time.Now().Add(1e5*time.Hour))
	webhook := authority(t, "hook", time.Now().Add(-time.Hour))
	configMap := func(data map[string]string) string {
		return asJSON(t, map[string]any{"kind": "ConfigMap", "apiVersion": "v1", "data": data})
	}
	b64 := base64.StdEncoding.EncodeToString
	return map[string]string{
		"/version": "{}",
		"/api/v1/nodes": `{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"name":"w1"},"status":{"conditions":[` +
			`{"type":"Ready","status":"True"}]}}]}`,
		"/api/v1/namespaces/kube-public/configmaps/cluster-info": configMap(map[string]string{"kubeconfig": "apiVersion: v1\nkind: Config\n" +
			"clusters:\n- name: ''\n  cluster:\n    server: https://x:6443\n    certificate-authority-data: " + b64([]byte(ca)) + "\n"}),
		"/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt": configMap(map[string]string{"ca.crt": ca}),
		"/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication": configMap(map[string]string{
			"client-ca-file": ca, "requestheader-client-ca-file": proxy}),
		"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices": `{"kind":"EndpointSliceList",` +
			`"apiVersion":"discovery.k8s.io/v1","items":[{"endpoints":[{"addresses":["127.0.0.1"]}],"ports":[{"port":1}]}]}`,
		"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1",` +
			`"status":{"allowed":true}}`,
		"/api/v1/nodes/w1/proxy/metrics": "kubelet_certificate_manager_client_ttl_seconds 432000\n",
		"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations": `{"kind":"ValidatingWebhookConfigurationList",` +
			`"apiVersion":"admissionregistration.k8s.io/v1","items":[{"metadata":{"name":"guard","annotations":{` +
			`"cert-manager.io/inject-ca-from":"a/b"}},"webhooks":[{"name":"a","clientConfig":{"caBundle":"` + b64([]byte(webhook)) + `"}}]}]}`,
		"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations": `{"kind":"MutatingWebhookConfigurationList",` +
			`"apiVersion":"admissionregistration.k8s.io/v1","items":[]}`,
		"/apis/apiregistration.k8s.io/v1/apiservices": `{"items":[{"metadata":{"name":"v1.a"},"spec":{"caBundle":"AAAA"}}]}`,
		"/apis/certificates.k8s.io/v1/certificatesigningrequests": `{"kind":"CertificateSigningRequestList","apiVersion":` +
			`"certificates.k8s.io/v1","items":[{"metadata":{"name":"csr-1"},"spec":{"signerName":"kubernetes.io/kubelet-serving",` +
			`"username":"system:node:w1"}}]}`,
	}
}

// lines are the rows of a survey in words, sorted.
func lines(f Found) (out []string) {
	certs.Judge(f.Rows, time.Now(), certs.Limits{Warn: 30 * 24 * time.Hour, Critical: 7 * 24 * time.Hour})
	for _, r := range f.Rows {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Node, r.Name, r.Status, r.ManagedBy)))
	}
	slices.Sort(out)
	return out
}

func TestWhatTheAPITells(t *testing.T) {
	found := Survey(t.Context(), api(t, all(t)), func(string, ...any) {})
	want := []string{"apiserver (served) ok kubeadm", "apiservice/v1.a unread -", "ca ok -", "front-proxy-ca ok -",
		"validatingwebhookconfiguration/guard expired cert-manager", "w1 kubelet-client critical kubelet",
		"w1 kubelet-server (requested) pending kubelet"}
	if got := lines(found); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	var unseen []string
	for _, u := range found.Unseen {
		unseen = append(unseen, u.What)
	}
	slices.Sort(unseen)
	if want := []string{"the serving certificates of the kubelets of w1", "what the API server at 127.0.0.1:1 presents",
		"your own credentials"}; !slices.Equal(unseen, want) {
		t.Errorf("%q", unseen)
	}
}

// TestWhatMayNotBeReadIsSaid takes one answer away at a time: the other rows stay.
func TestWhatMayNotBeReadIsSaid(t *testing.T) {
	whole := lines(Survey(t.Context(), api(t, all(t)), func(string, ...any) {}))
	for path, rows := range map[string]string{
		"/api/v1/namespaces/kube-public/configmaps/cluster-info":                "",
		"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices":           "",
		"/api/v1/nodes/w1/proxy/metrics":                                        "w1 kubelet-client critical kubelet",
		"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations": "validatingwebhookconfiguration/guard expired cert-manager",
		"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations":   "",
		"/apis/apiregistration.k8s.io/v1/apiservices":                           "apiservice/v1.a unread -",
		"/apis/certificates.k8s.io/v1/certificatesigningrequests":               "w1 kubelet-server (requested) pending kubelet",
	} {
		answers := all(t)
		delete(answers, path)
		found := Survey(t.Context(), api(t, answers), func(string, ...any) {})
		want := slices.DeleteFunc(slices.Clone(whole), func(line string) bool { return line == rows })
		if got := lines(found); !slices.Equal(got, want) {
			t.Errorf("without %s: %q", path, got)
		}
		if !slices.ContainsFunc(found.Unseen, func(u certs.Unseen) bool { return strings.Contains(u.Why, "may not") }) {
			t.Errorf("without %s: %v", path, found.Unseen)
		}
	}
}

func TestAnAPIServerThatCannotBeAskedStillPresentsItsCertificate(t *testing.T) {
	cluster := api(t, map[string]string{})
	cluster.Config.CAData = []byte(authority(t, "another", time.Now().Add(time.Hour)))
	client, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	cluster.Client = client
	found := Survey(t.Context(), cluster, func(string, ...any) {})
	if got := lines(found); found.Unreachable == nil || !slices.Equal(got, []string{"apiserver (served) wrong kubeadm"}) {
		t.Errorf("%q, %v", got, found.Unreachable)
	}
}

func TestAnAuthorityThatSomePlacesLackIsWrong(t *testing.T) {
	answers := all(t)
	answers["/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt"] = asJSON(t, map[string]any{"kind": "ConfigMap", "apiVersion": "v1",
		"data": map[string]string{"ca.crt": authority(t, "new", time.Now().Add(1e4*time.Hour))}})
	got := lines(Survey(t.Context(), api(t, answers), func(string, ...any) {}))
	if n := len(slices.DeleteFunc(got, func(l string) bool { return l != "ca wrong -" })); n != 2 {
		t.Errorf("%d authorities are wrong", n)
	}
}

func TestTheNewestRequestOfAKubeletCounts(t *testing.T) {
	now := time.Now()
	type csr = certificatesv1.CertificateSigningRequest
	request := func(name string, age time.Duration, change func(*csr)) csr {
		csr := csr{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(-age))},
			Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: certificatesv1.KubeletServingSignerName, Username: "system:node:w1"}}
		if change != nil {
			change(&csr)
		}
		return csr
	}
	is := func(kind certificatesv1.RequestConditionType) func(*csr) {
		return func(csr *csr) {
			csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: kind}}
		}
	}
	issued := func(csr *csr) { csr.Status.Certificate = []byte("x") }
	type list = []csr
	for name, c := range map[string]struct {
		all  list
		want string
	}{
		"it waits":                 {list{request("a", time.Hour, nil)}, "pending csr/a"},
		"an older one was issued":  {list{request("a", time.Hour, issued), request("b", time.Minute, nil)}, "pending csr/b"},
		"a newer one was issued":   {list{request("a", time.Hour, nil), request("b", time.Minute, issued)}, ""},
		"it was denied":            {list{request("a", time.Hour, is(certificatesv1.CertificateDenied))}, "denied csr/a"},
		"the signer failed":        {list{request("a", time.Hour, is(certificatesv1.CertificateFailed))}, "denied csr/a"},
		"approved, and not issued": {list{request("a", time.Hour, is(certificatesv1.CertificateApproved))}, "pending csr/a"},
		"another signer":           {list{request("a", 0, func(csr *csr) { csr.Spec.SignerName = "x/y" })}, ""},
		"nothing":                  {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, r := range waiting(c.all, now) {
				got += string(r.Request) + " " + r.Where
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
