// SPDX-License-Identifier: Apache-2.0

package join

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	certutil "k8s.io/client-go/util/cert"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// infoHint is how cluster-info is made right: kubeadm copies address and
// authorities from admin.conf (kubeadm 1.36, phases/bootstraptoken/clusterinfo).
const infoHint = "write it again, on a control plane whose admin.conf is up to date: kubeadm init phase bootstrap-token"

// trust is what decides whether a host that trusts cluster-info can trust the
// API server. It is compared without a request.
type trust struct {
	// info are the authorities in cluster-info, which hosts are given.
	info []*x509.Certificate
	// roots are those that the cluster gives its own pods; none if unknown.
	roots []*x509.Certificate
	// chain is what the API server has shown, its own certificate first; none if
	// it was not seen.
	chain []*x509.Certificate
	// endpoint is where hosts will look for it.
	endpoint string
	now      time.Time
}

// warnings says what keeps hosts from trusting the API server. What is proven,
// by the certificate that was seen and by what the cluster says itself, is
// certain; a certificate of neither may be that of something between us and the
// API server.
func (t trust) warnings() []check.Warning {
	apart := len(t.roots) > 0 && !slices.ContainsFunc(t.info, func(ca *x509.Certificate) bool {
		return slices.ContainsFunc(t.roots, func(root *x509.Certificate) bool { return sameAuthority(ca, root) })
	})
	byInfo, byRoots := t.signedBy(t.info), t.signedBy(t.roots)
	var ws []check.Warning
	switch {
	case byRoots && !byInfo:
		ws = append(ws, check.Warning{
			Text: "no certificate authority in cluster-info has signed the certificate of the API server (those in configmap kube-system/" +
				rootCA + " have): every host would refuse it",
			Hint:    infoHint,
			Certain: true,
		})
	case apart:
		ws = append(ws, check.Warning{
			Text: "cluster-info has a certificate authority that the cluster does not use (configmap kube-system/" + rootCA +
				" has another): hosts may refuse the API server",
			Hint: infoHint,
		})
	}
	host, _, err := net.SplitHostPort(t.endpoint)
	if err == nil && (byInfo || byRoots) && t.chain[0].VerifyHostname(host) != nil {
		ws = append(ws, check.Warning{
			Text: fmt.Sprintf("the certificate of the API server is not for %s, which cluster-info names: hosts would refuse it", text.Line(host)),
			Hint: "add the name to apiServer.certSANs and renew the certificate on each control plane (move apiserver.crt and apiserver.key away, " +
				"then: kubeadm init phase certs apiserver), or correct cluster-info: kubectl -n kube-public edit configmap cluster-info",
		})
	}
	return ws
}

// signedBy reports whether the certificate that was seen is signed by one of
// some authorities.
func (t trust) signedBy(cas []*x509.Certificate) bool {
	if len(t.chain) == 0 || len(cas) == 0 {
		return false
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, ca := range cas {
		roots.AddCert(ca)
	}
	for _, c := range t.chain[1:] {
		between.AddCert(c)
	}
	_, err := t.chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: t.now})
	return err == nil
}

// sameAuthority compares by name and key: an authority that was renewed with
// its key signs and is trusted as before.
func sameAuthority(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) && bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// authorityWarnings names the certificates in cluster-info that no host would
// trust by themselves.
func authorityWarnings(cas []*x509.Certificate, now time.Time) []check.Warning {
	var ws []check.Warning
	for _, ca := range cas {
		var fault string
		switch {
		case now.After(ca.NotAfter):
			fault = "expired on " + ca.NotAfter.UTC().Format(time.DateOnly)
		case now.Before(ca.NotBefore):
			fault = "is not valid before " + ca.NotBefore.UTC().Format(time.RFC3339) + ", by the clock of this machine"
		case ca.BasicConstraintsValid && !ca.IsCA:
			fault = "is the certificate of no authority"
		default:
			continue
		}
		ws = append(ws, check.Warning{
			Text: fmt.Sprintf("a certificate authority in cluster-info (%s) %s", text.Brief(ca.Subject.String()), fault),
			Hint: "hosts refuse certificates it signed; leave only living ones in cluster-info",
		})
	}
	return ws
}

// authorities reads certificates; what cannot be read is none.
func authorities(pem string) []*x509.Certificate {
	if strings.TrimSpace(pem) == "" {
		return nil
	}
	cas, err := certutil.ParseCertsPEM([]byte(pem))
	if err != nil {
		return nil
	}
	return cas
}
