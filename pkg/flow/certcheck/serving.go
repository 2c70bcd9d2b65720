// SPDX-License-Identifier: Apache-2.0

package certcheck

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// dialLimit bounds the wait for a server: one that is not reached from here is often
// behind the endpoint on purpose.
const dialLimit = 3 * time.Second

// presentedName is the name of a row of what an API server presents.
const presentedName = "apiserver (served)"

// presented is the certificate that a server presents, with what is wrong with it.
type presented struct {
	certificate *x509.Certificate
	fault       string
}

// endpoint reads what the address in your kubeconfig presents, the way that kubectl goes.
func (s survey) endpoint(ctx context.Context) (p part) {
	what := "what the API server at " + s.cluster.Config.Host + " presents"
	got, err := s.ask(ctx)
	if err != nil {
		p.miss(what, err)
		return p
	}
	p.row(got.row(certs.Row{Name: presentedName, Where: s.cluster.Config.Host, CA: clusterCA, ManagedBy: certs.ByKubeadm}))
	return p
}

// ask sends a request with your kubeconfig, proxy and server name included.
func (s survey) ask(ctx context.Context) (presented, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*dialLimit)
	defer cancel()
	client, err := rest.HTTPClientFor(s.cluster.Config)
	if err != nil {
		return presented{}, err
	}
	address, _, err := rest.DefaultServerUrlFor(s.cluster.Config)
	if err != nil {
		return presented{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.JoinPath("version").String(), nil)
	if err != nil {
		return presented{}, err
	}
	response, err := client.Do(request)
	if got, ok := unverified(err); ok {
		return got, nil
	}
	if err != nil {
		return presented{}, err
	}
	defer func() { _ = response.Body.Close() }() // only its connection counts
	if response.TLS == nil || len(response.TLS.PeerCertificates) == 0 {
		return presented{}, errors.New("it is not reached over TLS")
	}
	return presented{certificate: response.TLS.PeerCertificates[0]}, nil
}

// unverified is the certificate in the error of a connection that was refused for it.
func unverified(err error) (presented, bool) {
	var bad *tls.CertificateVerificationError
	if !errors.As(err, &bad) || len(bad.UnverifiedCertificates) == 0 {
		return presented{}, false
	}
	got := presented{certificate: bad.UnverifiedCertificates[0]}
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.As(bad.Err, &invalid) && invalid.Reason == x509.Expired: // the row says so
	case errors.As(bad.Err, &name):
		got.fault = fmt.Sprintf("it is not valid for %s", name.Host)
	default:
		got.fault = bad.Err.Error()
	}
	return got, true
}

// row is a row of what is presented.
func (got presented) row(row certs.Row) certs.Row {
	if got.fault != "" {
		row.Faults = append(row.Faults, got.fault)
	}
	return row.Of(certs.Describe(got.certificate))
}

// Presented are the names and addresses in the certificates that the API servers present, as
// far as they are reached from here, and the addresses at which the cluster has them, whether
// they are reached or not. The one that your kubeconfig reaches has to be seen.
func Presented(ctx context.Context, cluster runner.Cluster, nodes []corev1.Node) (names []string, err error) {
	s := survey{cluster: cluster, nodes: nodes, now: time.Now()}
	got, err := s.ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what the API server at %s presents: %w", cluster.Config.Host, err)
	}
	names = slices.Clone(got.certificate.DNSNames)
	for _, ip := range got.certificate.IPAddresses {
		names = append(names, ip.String())
	}
	urls, err := runner.APIServers(ctx, cluster.Client)
	if err != nil {
		return nil, fmt.Errorf("read the addresses of the API servers: %w", err)
	}
	for _, at := range urls {
		if u, err := url.Parse(at); err == nil {
			names = append(names, u.Hostname())
		}
	}
	for _, row := range s.servers(ctx).rows {
		if row.Certificate != nil {
			names = append(names, row.Certificate.Names...)
		}
	}
	return names, nil
}

// servers reads what each API server presents at its own address.
func (s survey) servers(ctx context.Context) (p part) {
	urls, err := runner.APIServers(ctx, s.cluster.Client)
	if err != nil {
		p.miss("the addresses of the API servers", err)
		return p
	}
	roots := s.roots(ctx)
	var sources []source
	for _, at := range urls {
		u, err := url.Parse(at)
		if err != nil || at == s.cluster.Config.Host {
			continue // the endpoint is read already
		}
		sources = append(sources, func(ctx context.Context) part { return s.server(ctx, u.Host, roots) })
	}
	return s.run(ctx, sources...)
}

func (s survey) server(ctx context.Context, address string, roots *x509.CertPool) (p part) {
	host, _, _ := net.SplitHostPort(address)
	node := s.nodeAt(host)
	got, err := dial(ctx, address, roots)
	if err != nil {
		what := "what the API server at " + address + " presents"
		p.miss(what, fmt.Errorf("it is not reached from here: %w", err))
		return p
	}
	p.row(got.row(certs.Row{Node: node, Name: presentedName, Where: address, CA: clusterCA, ManagedBy: certs.ByKubeadm}))
	return p
}

// dial opens a connection and reads the certificate, whether it is accepted or not.
func dial(ctx context.Context, address string, roots *x509.CertPool) (presented, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return presented{}, err
	}
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}}
	conn, err := d.DialContext(ctx, "tcp", address)
	if got, ok := unverified(err); ok {
		return got, nil
	}
	if err != nil {
		return presented{}, err
	}
	defer func() { _ = conn.Close() }() // nothing was written
	secure, ok := conn.(*tls.Conn)
	if !ok || len(secure.ConnectionState().PeerCertificates) == 0 {
		return presented{}, errors.New("it presents no certificate")
	}
	return presented{certificate: secure.ConnectionState().PeerCertificates[0]}, nil
}

// roots are the authorities that the cluster says are its own; those of your kubeconfig
// where they cannot be read.
func (s survey) roots(ctx context.Context) *x509.CertPool {
	pool := x509.NewCertPool()
	cm, err := s.cluster.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	if err == nil && pool.AppendCertsFromPEM([]byte(cm.Data["ca.crt"])) {
		return pool
	}
	data := s.cluster.Config.CAData
	if len(data) == 0 && s.cluster.Config.CAFile != "" {
		data, _ = os.ReadFile(s.cluster.Config.CAFile) // without it nothing is trusted, which is said of each server
	}
	pool.AppendCertsFromPEM(data)
	return pool
}

// nodeAt is the name of the node that has an address; empty if none has.
func (s survey) nodeAt(address string) string {
	for i := range s.nodes {
		for _, a := range s.nodes[i].Status.Addresses {
			if a.Address == address {
				return s.nodes[i].Name
			}
		}
	}
	return ""
}
