// SPDX-License-Identifier: Apache-2.0

package ownconfig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// certificate is one of a subject, as PEM.
func certificate(t *testing.T, subject pkix.Name, ends time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func admin() pkix.Name {
	return pkix.Name{CommonName: "kubernetes-admin", Organization: []string{"kubeadm:cluster-admins"}}
}

// authority signs for a cluster.
type authority struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(10000 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{ca, key}
}

// sign issues what a request asks for, changed.
func (a authority) sign(t *testing.T, request []byte, change func(*x509.Certificate, *any)) []byte {
	t.Helper()
	block, _ := pem.Decode(request)
	asked, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: asked.Subject, NotBefore: time.Now().Add(-time.Minute),
		NotAfter: time.Now().Add(1000 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	public := asked.PublicKey
	if change != nil {
		change(template, &public)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// kubeconfig is a file of two users and two contexts, of which the second ones are used.
func kubeconfig(t *testing.T, ca authority, user clientcmdapi.AuthInfo) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: "https://192.0.2.1:6443",
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})}
	config.AuthInfos["other"] = &clientcmdapi.AuthInfo{Token: "kept"}
	config.AuthInfos["me"] = &user
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "me"}
	config.Contexts["elsewhere"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "other"}
	config.CurrentContext = "x"
	path := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func find(path, context string) (Entry, error) {
	return Find(clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: path}, nil), context)
}

func TestWhatCannotBeRenewedIsRefused(t *testing.T) {
	ends := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		user clientcmdapi.AuthInfo
		says string
	}{
		"a certificate": {clientcmdapi.AuthInfo{ClientCertificateData: certificate(t, admin(), ends)}, ""},
		"a token":       {clientcmdapi.AuthInfo{Token: "x"}, "holds no certificate"},
		"a file":        {clientcmdapi.AuthInfo{ClientCertificate: "/x"}, "holds no certificate"},
		"garbage":       {clientcmdapi.AuthInfo{ClientCertificateData: []byte("x")}, "cannot be read"},
		"the group of the masters": {clientcmdapi.AuthInfo{
			ClientCertificateData: certificate(t, pkix.Name{Organization: []string{masters}}, ends)}, masters},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := find(kubeconfig(t, newAuthority(t), c.user), "")
			if c.says == "" && (err != nil || e.User != "me" || e.Certificate == nil) {
				t.Errorf("%+v, %v", e, err)
			}
			if c.says != "" && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// signing is a cluster whose authority issues what it is asked for, changed; or what
// answer is.
func (a authority) signing(t *testing.T, change func(*x509.Certificate, *any), answer []byte) *fake.Clientset {
	t.Helper()
	client := fake.NewClientset()
	client.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}, nil
	})
	issued := answer
	client.PrependReactor("create", "certificatesigningrequests", func(action clienttesting.Action) (bool, runtime.Object, error) {
		csr := action.(clienttesting.CreateAction).GetObject().(*certificatesv1.CertificateSigningRequest)
		if answer == nil {
			issued = a.sign(t, csr.Spec.Request, change)
		}
		return false, nil, nil
	})
	client.PrependReactor("get", "certificatesigningrequests", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &certificatesv1.CertificateSigningRequest{Status: certificatesv1.CertificateSigningRequestStatus{Certificate: issued}}, nil
	})
	return client
}

func TestOneEntryIsRenewedAndTheFileIsKept(t *testing.T) {
	ca := newAuthority(t)
	path := kubeconfig(t, ca, clientcmdapi.AuthInfo{ClientCertificateData: certificate(t, admin(), time.Now().Add(time.Hour)),
		ClientKeyData: []byte("old")})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e, err := find(link, "x")
	if err != nil {
		t.Fatal(err)
	}
	got, key, err := e.Renew(t.Context(), ca.signing(t, nil, nil), "ann")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := e.Save(got, key, "x")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(config.AuthInfos["me"].ClientCertificateData) != string(got) || config.AuthInfos["other"].Token != "kept" ||
		!strings.Contains(string(config.AuthInfos["me"].ClientKeyData), "PRIVATE KEY") {
		t.Errorf("%+v", config.AuthInfos)
	}
	if was, err := os.ReadFile(kept); err != nil || string(was) != string(before) {
		t.Errorf("the earlier file is not kept: %v", err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is none any more: %v", err)
	}
	for _, file := range []string{path, kept} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}

func TestACertificateThatWasNotAskedForIsNotTaken(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	path := kubeconfig(t, ca, clientcmdapi.AuthInfo{ClientCertificateData: certificate(t, admin(), time.Now().Add(2*time.Hour))})
	e, err := find(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := find(path, "elsewhere"); err == nil || !strings.Contains(err.Error(), "user other") {
		t.Errorf("the context that was asked for does not count: %v", err)
	}
	for name, client := range map[string]*fake.Clientset{
		"of another subject": ca.signing(t, func(c *x509.Certificate, _ *any) { c.Subject.CommonName = "x" }, nil),
		"that ends earlier":  ca.signing(t, func(c *x509.Certificate, _ *any) { c.NotAfter = time.Now().Add(time.Hour) }, nil),
		"of another cluster": other.signing(t, nil, nil),
		"for another key":    ca.signing(t, func(_ *x509.Certificate, key *any) { *key = other.key.Public() }, nil),
		"for servers": ca.signing(t, func(c *x509.Certificate, _ *any) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, nil),
		"that is none": ca.signing(t, nil, []byte("x")),
	} {
		if _, _, err := e.Renew(t.Context(), client, "ann"); err == nil {
			t.Errorf("one %s is taken", name)
		}
	}
}
