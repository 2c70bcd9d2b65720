// SPDX-License-Identifier: Apache-2.0

package join

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	certutil "k8s.io/client-go/util/cert"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Pin is the public key pin of a certificate authority, as kubeadm's
// --discovery-token-ca-cert-hash takes it: "sha256:" and the SHA-256 of the
// DER-encoded SubjectPublicKeyInfo in lower case hex (RFC 7469, 2.4).
func Pin(ca *x509.Certificate) string {
	sum := sha256.Sum256(ca.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// clusterInfo is what the kubeconfig in cluster-info says.
type clusterInfo struct {
	endpoint string // HOST:PORT
	cas      []*x509.Certificate
	warnings []check.Warning
}

// parseClusterInfo reads the kubeconfig of cluster-info.
func parseClusterInfo(kubeconfig string) (clusterInfo, error) {
	config, err := clientcmd.Load([]byte(kubeconfig))
	if err != nil {
		return clusterInfo{}, fmt.Errorf("kubeconfig: %w", err)
	}
	cluster, err := defaultCluster(config)
	if err != nil {
		return clusterInfo{}, err
	}
	var info clusterInfo
	if info.endpoint, err = hostPort(cluster.Server); err != nil {
		return clusterInfo{}, err
	}
	if u, err := url.Parse(cluster.Server); err == nil && strings.Trim(u.Path, "/") != "" {
		info.warnings = append(info.warnings, check.Warning{
			Text: "cluster-info names an address with a path: " + text.Brief(cluster.Server) + "; kubeadm looks for cluster-info without it",
			Hint: "hosts need a way to an API server that is not a proxy for several clusters",
		})
	}
	if len(cluster.CertificateAuthorityData) == 0 {
		return clusterInfo{}, errors.New("kubeconfig: it holds no certificate authority")
	}
	if info.cas, err = certutil.ParseCertsPEM(cluster.CertificateAuthorityData); err != nil {
		return clusterInfo{}, fmt.Errorf("certificate authorities: %w", err)
	}
	info.warnings = append(info.warnings, authorityWarnings(info.cas, time.Now())...)
	return info, nil
}

// defaultCluster chooses the cluster of a kubeconfig that kubeadm would: the
// unnamed one, else that of the current context. One cluster alone is no
// riddle either.
func defaultCluster(config *clientcmdapi.Config) (*clientcmdapi.Cluster, error) {
	if c := config.Clusters[""]; c != nil {
		return c, nil
	}
	if current := config.Contexts[config.CurrentContext]; current != nil {
		if c := config.Clusters[current.Cluster]; c != nil {
			return c, nil
		}
	}
	if len(config.Clusters) != 1 {
		return nil, fmt.Errorf("kubeconfig: it names %d clusters and chooses none", len(config.Clusters))
	}
	for _, c := range config.Clusters {
		return c, nil
	}
	return nil, errors.New("kubeconfig: it names no cluster")
}

// hostPort takes HOST:PORT from the URL of a server; kubeadm join refuses an
// address without a port, so the one of https is filled in.
func hostPort(server string) (string, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil || u.Scheme != "https" || !isHost(u.Hostname()) || !isPort(u.Port()):
		return "", fmt.Errorf("kubeconfig: %q is not an https address", text.Brief(server))
	case u.Port() == "":
		return net.JoinHostPort(u.Hostname(), "443"), nil
	}
	return net.JoinHostPort(u.Hostname(), u.Port()), nil
}

// isHost reports whether a text is an address that every host can use, or may be the
// name of one.
func isHost(s string) bool {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Zone() == ""
	}
	return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$`).MatchString(s)
}

// isPort reports whether a text is a port, or empty.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}

// endpointWarnings compares the address hosts will use with the one the
// control plane says it has.
func endpointWarnings(endpoint, controlPlaneEndpoint string) []check.Warning {
	var ws []check.Warning
	edit := "if hosts cannot reach it, correct it: kubectl -n kube-public edit configmap cluster-info"
	host, _, _ := net.SplitHostPort(endpoint)
	if isLocal(host) {
		ws = append(ws, check.Warning{Text: "cluster-info names " + endpoint + ", which on every host is the host itself", Hint: edit})
	}
	if controlPlaneEndpoint != "" && !sameEndpoint(endpoint, controlPlaneEndpoint) {
		ws = append(ws, check.Warning{
			Text: fmt.Sprintf("cluster-info names %s, but the control plane endpoint is %s; hosts will use the first", endpoint,
				text.Brief(controlPlaneEndpoint)),
			Hint: edit,
		})
	}
	return ws
}

// isLocal says whether a host name or address leads back to the machine that
// uses it.
func isLocal(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback() || addr.IsUnspecified()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// sameEndpoint compares two HOST[:PORT]. A missing port matches any: kubeadm
// then takes the API server's own, which is not written down there.
func sameEndpoint(a, b string) bool {
	hostA, portA := splitEndpoint(a)
	hostB, portB := splitEndpoint(b)
	return hostA == hostB && (portA == portB || portA == "" || portB == "")
}

// splitEndpoint normalizes HOST[:PORT]: names in lower case without the final
// dot, addresses in their shortest form without brackets.
func splitEndpoint(s string) (host, port string) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "https://"), "/")
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), ""
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String(), port
	}
	return strings.ToLower(strings.TrimSuffix(host, ".")), port
}
