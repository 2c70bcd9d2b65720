// SPDX-License-Identifier: Apache-2.0

package arrival

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
)

// csrOf makes a certificate request as the kubelet of a host with our token
// would, for a subject, with a change.
func csrOf(t *testing.T, name, node string,
	change func(*certificatesv1.CertificateSigningRequest)) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	csr := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(time.Now())},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Username: "system:bootstrap:abcdef", SignerName: certificatesv1.KubeAPIServerClientKubeletSignerName,
			Request: pemRequest(t, pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}}),
		},
	}
	if change != nil {
		change(csr)
	}
	return csr
}

func pemRequest(t *testing.T, subject pkix.Name) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func with(kind certificatesv1.RequestConditionType, message string) func(*certificatesv1.CertificateSigningRequest) {
	return func(csr *certificatesv1.CertificateSigningRequest) {
		csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: kind, Status: corev1.ConditionTrue, Reason: "Test", Message: message,
		})
	}
}

func issued(csr *certificatesv1.CertificateSigningRequest) {
	with(certificatesv1.CertificateApproved, "")(csr)
	csr.Status.Certificate = []byte("certificate")
}

// bed is one Follow under way in a bubble.
type bed struct {
	*testing.T
	client *fake.Clientset
	cancel context.CancelFunc

	mu      sync.Mutex
	reports []string
	arrival Arrival
	err     error
	done    bool
}

func (b *bed) report(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports = append(b.reports, fmt.Sprintf(format, args...))
}

func follow(t *testing.T, client *fake.Clientset, r Request, timeout time.Duration) *bed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	b := &bed{T: t, client: client, cancel: cancel}
	go func() {
		arrival, err := Follow(ctx, client, r, b.report)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.arrival, b.err, b.done = arrival, err, true
	}()
	t.Cleanup(func() { cancel(); synctest.Wait() })
	synctest.Wait()
	return b
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	synctest.Wait()
}

func (b *bed) makeCSR(csr *certificatesv1.CertificateSigningRequest) {
	b.Helper()
	_, err := b.client.CertificatesV1().CertificateSigningRequests().Create(b.Context(), csr, metav1.CreateOptions{})
	b.must(err)
}

func (b *bed) changeCSR(csr *certificatesv1.CertificateSigningRequest, change func(*certificatesv1.CertificateSigningRequest)) {
	b.Helper()
	change(csr)
	_, err := b.client.CertificatesV1().CertificateSigningRequests().Update(b.Context(), csr, metav1.UpdateOptions{})
	b.must(err)
}

func (b *bed) makeNode(node *corev1.Node) {
	b.Helper()
	_, err := b.client.CoreV1().Nodes().Create(b.Context(), node, metav1.CreateOptions{})
	b.must(err)
}

func (b *bed) changeNode(node *corev1.Node) {
	b.Helper()
	_, err := b.client.CoreV1().Nodes().Update(b.Context(), node, metav1.UpdateOptions{})
	b.must(err)
}

// last wants the newest report to hold a text.
func (b *bed) last(text string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.reports) == 0 || !strings.Contains(b.reports[len(b.reports)-1], text) {
		b.Fatalf("the last report has no %q: %q", text, b.reports)
	}
}

// end wants the Follow to have ended at a stage, with an error that holds a
// text or none.
func (b *bed) end(stage Stage, text string) {
	b.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.done:
		b.Fatalf("it goes on: %q", b.reports)
	case b.arrival.Stage != stage:
		b.Errorf("ended at stage %s, want %s (%v)", b.arrival.Stage, stage, b.err)
	case (b.err == nil) != (text == "") || (b.err != nil && !strings.Contains(b.err.Error(), text)):
		b.Errorf("ended with error %v, want %q", b.err, text)
	}
	if all := strings.Join(b.reports, "\n"); strings.Contains(all, jointest.GivenSecret) {
		b.Errorf("the reports show the secret:\n%s", all)
	}
}

func ours(t *testing.T) Request {
	t.Helper()
	return Request{Token: token(t)}
}

func token(t *testing.T) bootstrap.Token {
	t.Helper()
	given, err := bootstrap.Parse(jointest.Given)
	if err != nil {
		t.Fatal(err)
	}
	return given
}
