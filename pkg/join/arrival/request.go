// SPDX-License-Identifier: Apache-2.0

package arrival

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// request is a host's request for its first certificate.
type request struct {
	*certificatesv1.CertificateSigningRequest
	// node is the name the host asks for.
	node string
}

// requestsOf finds, newest first, the certificate requests made with a token,
// and only those: the user name in them is written by the API server. Requests
// older than the token were made with another of the same id.
func requestsOf(t bootstrap.Token, all []*certificatesv1.CertificateSigningRequest) []request {
	var rs []request
	for _, csr := range all {
		if csr.Spec.Username != t.UserName() || csr.CreationTimestamp.Time.Before(t.Created()) {
			continue
		}
		node, err := nodeIn(csr)
		if err != nil {
			continue
		}
		rs = append(rs, request{csr, node})
	}
	slices.SortFunc(rs, func(a, b request) int {
		if c := b.CreationTimestamp.Compare(a.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return rs
}

// choose takes the newest request, or the newest for a given name. A host whose
// kubelet starts again makes a new request.
func choose(rs []request, node string) (request, bool) {
	for _, r := range rs {
		if node == "" || r.node == node {
			return r, true
		}
	}
	return request{}, false
}

// nodeIn reads the node name from a request for a kubelet's client certificate,
// by the rules of the signer kubernetes.io/kube-apiserver-client-kubelet. The
// host chose it, so it is believed only if a Node can be named like that.
func nodeIn(csr *certificatesv1.CertificateSigningRequest) (string, error) {
	if csr.Spec.SignerName != certificatesv1.KubeAPIServerClientKubeletSignerName {
		return "", fmt.Errorf("it is for the signer %q", csr.Spec.SignerName)
	}
	block, _ := pem.Decode(csr.Spec.Request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return "", errors.New("it holds no PEM certificate request")
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("parse the certificate request: %w", err)
	}
	name, ok := strings.CutPrefix(parsed.Subject.CommonName, "system:node:")
	if !ok || !slices.Equal(parsed.Subject.Organization, []string{"system:nodes"}) || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return "", errors.New("it does not ask for the certificate of a node")
	}
	return name, nil
}

// condition finds a condition of a certificate request; nil if it has none such.
func condition(csr *certificatesv1.CertificateSigningRequest,
	kind certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequestCondition {
	for i := range csr.Status.Conditions {
		if c := &csr.Status.Conditions[i]; c.Type == kind && c.Status != corev1.ConditionFalse {
			return c
		}
	}
	return nil
}

// rejected is the error of a request that will never become a certificate.
func (r request) rejected() error {
	verb, c := "denied", condition(r.CertificateSigningRequest, certificatesv1.CertificateDenied)
	if c == nil {
		verb, c = "failed to be signed", condition(r.CertificateSigningRequest, certificatesv1.CertificateFailed)
	}
	if c == nil {
		return nil
	}
	return plan.Hint(fmt.Errorf("certificate request %s of host %s was %s: %s", r.Name, r.node, verb, text.Brief(c.Reason+": "+c.Message)),
		"clear the cause, then on the host: kubeadm reset, and the join command again")
}
