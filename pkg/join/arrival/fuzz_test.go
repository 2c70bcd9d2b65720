// SPDX-License-Identifier: Apache-2.0

package arrival

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// FuzzNodeIn: whatever a host asks for, the name that is believed is one that a
// Node can have.
func FuzzNodeIn(f *testing.F) {
	f.Add([]byte("x"))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"))
	for _, name := range []string{"w3", "\x1b[2J", "UPPER", strings.Repeat("a", 300), "a\nb"} {
		f.Add(requestFor(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		csr := &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: certificatesv1.KubeAPIServerClientKubeletSignerName, Request: raw,
		}}
		name, err := nodeIn(csr)
		if err == nil && len(validation.IsDNS1123Subdomain(name)) > 0 {
			t.Errorf("%q is believed", name)
		}
		if err != nil && name != "" {
			t.Errorf("a name %q with an error", name)
		}
	})
}

// requestFor is a certificate request of a host for a name.
func requestFor(f *testing.F, name string) []byte {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	subject := pkix.Name{CommonName: "system:node:" + name, Organization: []string{"system:nodes"}}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	if err != nil {
		f.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}
