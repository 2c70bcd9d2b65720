// SPDX-License-Identifier: Apache-2.0

package ownconfig

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// issued bounds the wait for the signer, which is kube-controller-manager.
const issued = 30 * time.Second

// Renew has the cluster issue another certificate for the subject of the entry. The request
// is deleted afterwards.
func (e Entry) Renew(ctx context.Context, client kubernetes.Interface, who string) (certificate, key []byte, err error) {
	const group = "certificates.k8s.io"
	if err := kube.Require(ctx, client, []kube.Need{
		{Verb: "create", Group: group, Resource: "certificatesigningrequests"},
		{Verb: "update", Group: group, Resource: "certificatesigningrequests", Subresource: "approval"},
	}); err != nil {
		return nil, nil, err
	}
	request, key, err := e.request()
	if err != nil {
		return nil, nil, err
	}
	requests := client.CertificatesV1().CertificateSigningRequests()
	csr, err := requests.Create(ctx, request, metav1.CreateOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("create a certificatesigningrequest: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = requests.Delete(ctx, csr.Name, metav1.DeleteOptions{}) // the cluster deletes it within an hour anyway
	}()
	csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "KubectlLifecycle", Message: "renewed by " + who})
	if _, err = requests.UpdateApproval(ctx, csr.Name, csr, metav1.UpdateOptions{}); err != nil {
		return nil, nil, fmt.Errorf("approve certificatesigningrequest %s: %w", csr.Name, err)
	}
	err = wait.PollUntilContextTimeout(ctx, 300*time.Millisecond, issued, true, func(ctx context.Context) (bool, error) {
		now, err := requests.Get(ctx, csr.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		certificate = now.Status.Certificate
		return len(certificate) > 0, nil
	})
	if err != nil {
		return nil, nil, plan.Hint(fmt.Errorf("wait until certificatesigningrequest %s is signed: %w", csr.Name, err),
			"kube-controller-manager signs it: does it run, and has it the authority's key?")
	}
	return certificate, key, e.same(certificate, key)
}

// request is one for the subject of the entry, with a new key.
func (e Entry) request() (*certificatesv1.CertificateSigningRequest, []byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	asked, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: e.Certificate.Subject}, private)
	if err != nil {
		return nil, nil, fmt.Errorf("make a request: %w", err)
	}
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "lifecycle-kubeconfig-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: certificatesv1.KubeAPIServerClientSignerName,
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: asked}),
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// same refuses a certificate of another subject or key than was asked for, that another
// cluster has signed, or that does not last longer.
func (e Entry) same(certificate, key []byte) error {
	all, err := certs.Bundle(certificate)
	switch {
	case err != nil:
		return fmt.Errorf("read the certificate that was issued: %w", err)
	case all[0].Subject.String() != e.Certificate.Subject.String():
		return errors.New("the certificate that was issued is for another subject")
	case !e.signs(all[0]):
		return plan.Refuse(errors.New("the certificate that was issued is not signed by the authority of this context's cluster"),
			"is the context right? See: kubectl config get-contexts")
	case !all[0].NotAfter.After(e.Certificate.NotAfter):
		return plan.Refuse(fmt.Errorf("the certificate that was issued ends on %s, no later than yours",
			all[0].NotAfter.UTC().Format(time.DateTime)), "yours is as good; nothing was changed")
	}
	if _, err := tls.X509KeyPair(certificate, key); err != nil {
		return errors.New("the certificate that was issued is for another key")
	}
	return nil
}

// signs reports whether a certificate is for a client of the entry's cluster.
func (e Entry) signs(certificate *x509.Certificate) bool {
	_, err := certificate.Verify(x509.VerifyOptions{Roots: e.authorities, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		CurrentTime: certificate.NotBefore})
	return err == nil
}
