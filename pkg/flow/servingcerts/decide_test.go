// SPDX-License-Identifier: Apache-2.0

package servingcerts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

type (
	asked = x509.CertificateRequest
	csr   = certificatesv1.CertificateSigningRequest
)

// request is what the kubelet of w1 asks for, changed.
func request(t *testing.T, change func(*asked, *csr)) *csr {
	t.Helper()
	a := &asked{Subject: pkix.Name{CommonName: "system:node:w1", Organization: []string{"system:nodes"}},
		DNSNames: []string{"w1"}, IPAddresses: []net.IP{net.ParseIP("192.0.2.1")}}
	r := &csr{ObjectMeta: metav1.ObjectMeta{Name: "csr-1"},
		Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: certificatesv1.KubeletServingSignerName, Username: "system:node:w1",
			Groups: []string{"system:nodes", "system:authenticated"},
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth}}}
	if change != nil {
		change(a, r)
	}
	if r.Spec.Request != nil {
		return r
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, a, key)
	if err != nil {
		t.Fatal(err)
	}
	r.Spec.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	return r
}

func nodes() []corev1.Node {
	node := func(name string, addresses ...string) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		for _, a := range addresses {
			n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Address: a})
		}
		return n
	}
	return []corev1.Node{node("w1", "192.0.2.1", "2001:db8::1", "w1.example", "localhost", "127.0.0.1", "192.0.2.2"), node("w2", "192.0.2.2")}
}

func TestOnlyWhatIsTheNodesOwnIsApproved(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*asked, *csr)
		why    string
	}{
		"its name and address": {nil, ""},
		"all that it has": {func(a *asked, _ *csr) {
			a.DNSNames = []string{"W1.example."}
			a.IPAddresses = append(a.IPAddresses, net.ParseIP("2001:db8::1"))
		}, ""},
		"a foreign address":      {func(a *asked, _ *csr) { a.IPAddresses = []net.IP{net.ParseIP("192.0.2.9")} }, "no address of Node w1"},
		"a foreign name":         {func(a *asked, _ *csr) { a.DNSNames = []string{"bank.example"} }, "bank.example is no address"},
		"another node's address": {func(a *asked, _ *csr) { a.IPAddresses = []net.IP{net.ParseIP("192.0.2.2")} }, "an address of Node w2, too"},
		"a loopback":             {func(a *asked, _ *csr) { a.IPAddresses = []net.IP{net.ParseIP("127.0.0.1")} }, "means the cluster"},
		"localhost":              {func(a *asked, _ *csr) { a.DNSNames = []string{"localhost"} }, "means the cluster"},
		"a Service":              {func(a *asked, _ *csr) { a.DNSNames = []string{"kubernetes.default.svc"} }, "means the cluster"},
		"a wildcard":             {func(a *asked, _ *csr) { a.DNSNames = []string{"*.example"} }, "means the cluster"},
		"nothing":                {func(a *asked, _ *csr) { a.DNSNames, a.IPAddresses = nil, nil }, "no address and no name"},
		"a URI":                  {func(a *asked, _ *csr) { a.URIs = []*url.URL{{Scheme: "spiffe", Host: "x"}} }, "URI"},
		"another node asks":      {func(_ *asked, r *csr) { r.Spec.Username = "system:node:w2" }, "it is for system:node:w1"},
		"a person asks":          {func(_ *asked, r *csr) { r.Spec.Username = "ann" }, "no kubelet"},
		"one who is in no group": {func(_ *asked, r *csr) { r.Spec.Groups = nil }, "no kubelet"},
		"another organization":   {func(a *asked, _ *csr) { a.Subject.Organization = []string{"system:masters"} }, "organization"},
		"more organizations": {func(a *asked, _ *csr) { a.Subject.Organization = append(a.Subject.Organization, "system:masters") },
			"organization"},
		"for a client": {func(_ *asked, r *csr) {
			r.Spec.Usages = append(r.Spec.Usages, certificatesv1.UsageClientAuth)
		}, "client auth"},
		"not for a server": {func(_ *asked, r *csr) { r.Spec.Usages = r.Spec.Usages[:1] }, "not for a server"},
		"a node that is not there": {func(a *asked, r *csr) { r.Spec.Username, a.Subject.CommonName = "system:node:w9", "system:node:w9" },
			"no Node w9"},
		"garbage": {func(_ *asked, r *csr) { r.Spec.Request = []byte("x") }, "no request"},
		"PEM and garbage": {func(_ *asked, r *csr) {
			r.Spec.Request = []byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")
		}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decide(request(t, c.change), nodes())
			if (got.Why == "") != (c.why == "") || !strings.Contains(got.Why, c.why) {
				t.Errorf("%q, want %q", got.Why, c.why)
			}
		})
	}
}

func TestWhatWaitsIsReadAndApproved(t *testing.T) {
	mine := request(t, nil)
	done := request(t, func(_ *asked, r *csr) {
		r.Name, r.Status.Certificate = "csr-2", []byte("x")
	})
	other := request(t, func(_ *asked, r *csr) {
		r.Name, r.Spec.SignerName = "csr-3", "x/y"
	})
	all := nodes()
	client := fake.NewClientset(mine, done, other, &all[0], &all[1])
	got, err := Survey(t.Context(), client)
	if err != nil || len(got) != 1 || got[0].Name != "csr-1" || got[0].Why != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := Approve(t.Context(), client, got[0], "ann"); err != nil {
		t.Fatal(err)
	}
	if got, err = Survey(t.Context(), client); err != nil || len(got) != 0 {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := &csr{Spec: certificatesv1.CertificateSigningRequestSpec{Request: raw}}
		if Decide(r, nodes()).Why == "" {
			t.Error("a request of no one is approved")
		}
	})
}
