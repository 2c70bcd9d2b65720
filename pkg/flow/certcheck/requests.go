// SPDX-License-Identifier: Apache-2.0

package certcheck

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
)

// requests reads which kubelets wait for a certificate, or were denied one.
func (s survey) requests(ctx context.Context) (p part) {
	list, err := s.cluster.Client.CertificatesV1().CertificateSigningRequests().List(ctx, metav1.ListOptions{})
	if err != nil {
		p.miss("the certificatesigningrequests", err)
		return p
	}
	p.rows = waiting(list.Items, s.now)
	return p
}

// waiting are the kubelets whose newest request has no certificate. It is pure.
func waiting(all []certificatesv1.CertificateSigningRequest, now time.Time) (rows []certs.Row) {
	slices.SortFunc(all, func(a, b certificatesv1.CertificateSigningRequest) int {
		return b.CreationTimestamp.Compare(a.CreationTimestamp.Time)
	})
	seen := map[string]bool{}
	for i := range all {
		csr := &all[i]
		name := certificateOf(csr.Spec.SignerName)
		if name == "" {
			continue
		}
		node := nodeOf(csr)
		if seen[node+" "+name] {
			continue
		}
		seen[node+" "+name] = true
		status, note := standing(csr)
		if status == "" {
			continue
		}
		age := now.Sub(csr.CreationTimestamp.Time).Round(time.Second)
		rows = append(rows, certs.Row{Node: node, Name: name + " (requested)", Where: "csr/" + csr.Name, CA: clusterCA,
			ManagedBy: certs.ByKubelet, Request: status, Notes: []string{fmt.Sprintf("%s: %s, since %s", csr.Name, note, age)}})
	}
	return rows
}

// certificateOf is the name of the certificate that a kubelet asks a signer for.
func certificateOf(signer string) string {
	switch signer {
	case certificatesv1.KubeletServingSignerName:
		return "kubelet-server"
	case certificatesv1.KubeAPIServerClientKubeletSignerName:
		return "kubelet-client"
	}
	return ""
}

// nodeOf is the node for which a request is: the one that asks, else the one that the
// request names.
func nodeOf(csr *certificatesv1.CertificateSigningRequest) string {
	if node, is := strings.CutPrefix(csr.Spec.Username, "system:node:"); is {
		return node
	}
	if block, _ := pem.Decode(csr.Spec.Request); block != nil {
		if request, err := x509.ParseCertificateRequest(block.Bytes); err == nil {
			return strings.TrimPrefix(request.Subject.CommonName, "system:node:")
		}
	}
	return ""
}

// standing is what has become of a request; empty for one that has its certificate.
func standing(csr *certificatesv1.CertificateSigningRequest) (certs.Status, string) {
	approved := false
	for _, c := range csr.Status.Conditions {
		switch c.Type {
		case certificatesv1.CertificateDenied:
			return certs.Denied, "it was denied"
		case certificatesv1.CertificateFailed:
			return certs.Denied, "it was approved, and the signer failed"
		case certificatesv1.CertificateApproved:
			approved = true
		}
	}
	switch {
	case len(csr.Status.Certificate) > 0:
		return "", ""
	case approved:
		return certs.Pending, "it was approved, and no certificate was issued"
	}
	return certs.Pending, "it was not approved"
}
