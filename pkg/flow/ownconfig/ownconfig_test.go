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

// kubeconfig is a file of two users, of which the second is used.
func kubeconfig(t *testing.T, user clientcmdapi.AuthInfo) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: "https://192.0.2.1:6443"}
	config.AuthInfos["other"] = &clientcmdapi.AuthInfo{Token: "kept"}
	config.AuthInfos["me"] = &user
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "me"}
	config.CurrentContext = "x"
	path := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func find(path string) (Entry, error) {
	return Find(clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: path}, nil))
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
			e, err := find(kubeconfig(t, c.user))
			if c.says == "" && (err != nil || e.User != "me" || e.Certificate == nil) {
				t.Errorf("%+v, %v", e, err)
			}
			if c.says != "" && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// signing is a cluster whose signer issues what it is given.
func signing(answer []byte) *fake.Clientset {
	client := fake.NewClientset()
	client.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}, nil
	})
	client.PrependReactor("get", "certificatesigningrequests", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &certificatesv1.CertificateSigningRequest{Status: certificatesv1.CertificateSigningRequestStatus{Certificate: answer}}, nil
	})
	return client
}

func TestOneEntryIsRenewedAndTheFileIsKept(t *testing.T) {
	path := kubeconfig(t, clientcmdapi.AuthInfo{ClientCertificateData: certificate(t, admin(), time.Now().Add(time.Hour)),
		ClientKeyData: []byte("old")})
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e, err := find(path)
	if err != nil {
		t.Fatal(err)
	}
	issued := certificate(t, admin(), time.Now().Add(1000*time.Hour))
	got, key, err := e.Renew(t.Context(), signing(issued), "ann")
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
	if string(config.AuthInfos["me"].ClientCertificateData) != string(issued) || config.AuthInfos["other"].Token != "kept" ||
		!strings.Contains(string(config.AuthInfos["me"].ClientKeyData), "PRIVATE KEY") {
		t.Errorf("%+v", config.AuthInfos)
	}
	if was, err := os.ReadFile(kept); err != nil || string(was) != string(before) {
		t.Errorf("the earlier file is not kept: %v", err)
	}
	for _, file := range []string{path, kept} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}

func TestACertificateThatWasNotAskedForIsNotTaken(t *testing.T) {
	path := kubeconfig(t, clientcmdapi.AuthInfo{ClientCertificateData: certificate(t, admin(), time.Now().Add(2*time.Hour))})
	e, err := find(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string][]byte{
		"of another subject": certificate(t, pkix.Name{CommonName: "x"}, time.Now().Add(1000*time.Hour)),
		"that ends earlier":  certificate(t, admin(), time.Now().Add(time.Hour)),
		"that is none":       []byte("x"),
	} {
		if _, _, err := e.Renew(t.Context(), signing(answer), "ann"); err == nil {
			t.Errorf("one %s is taken", name)
		}
	}
}
