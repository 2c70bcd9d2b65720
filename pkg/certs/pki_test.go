// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// begin is when the clusters of these tests were made.
func begin() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

const year = 365 * 24 * time.Hour

// maker makes keys of one algorithm, and certificates.
type maker struct {
	t    *testing.T
	key  func() (crypto.Signer, error)
	last int64
}

func ofECDSA() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// ofRSA makes one key and uses it for all: others take long.
func ofRSA() func() (crypto.Signer, error) {
	return sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })
}

func ofEd25519() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// pair is a certificate with its key.
type pair struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (p pair) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
}

func (p pair) keyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// issue makes a certificate of a year, signed by an authority, or by itself.
func (m *maker) issue(name string, by *pair, change func(*x509.Certificate)) pair {
	m.t.Helper()
	m.last++
	template := &x509.Certificate{SerialNumber: big.NewInt(m.last), Subject: pkix.Name{CommonName: name}, NotBefore: begin(),
		NotAfter: begin().Add(year), BasicConstraintsValid: true}
	if by == nil {
		template.NotAfter, template.IsCA, template.KeyUsage = begin().Add(10*year), true, x509.KeyUsageCertSign
	}
	if change != nil {
		change(template)
	}
	key, err := m.key()
	if err != nil {
		m.t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		m.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		m.t.Fatal(err)
	}
	return pair{cert, key}
}

// host is the tree of a host's files, and the authorities that it was made with.
type host struct {
	fstest.MapFS
	*maker
	ca, proxy, etcd pair
}

func (h *host) put(path string, raw []byte, mode fs.FileMode) {
	h.MapFS[strings.TrimPrefix(path, "/")] = &fstest.MapFile{Data: raw, Mode: mode}
}

// pair puts a certificate and its key.
func (h *host) pair(path string, p pair) {
	h.put(path+".crt", p.pem(), 0o644)
	h.put(path+".key", p.keyPEM(), 0o600)
}

// kubeconfig is one as kubeadm writes it.
func (h *host) kubeconfig(p pair) []byte {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: %s
    server: https://192.0.2.1:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: u
  name: u@kubernetes
current-context: u@kubernetes
kind: Config
users:
- name: u
  user:
    client-certificate-data: %s
    client-key-data: %s
`, b64(h.ca.pem()), b64(p.pem()), b64(p.keyPEM()))
}

const pki = "/etc/kubernetes/pki/"

// controlPlane is the host of one, as kubeadm leaves it.
func controlPlane(t *testing.T, key func() (crypto.Signer, error)) *host {
	t.Helper()
	h := &host{MapFS: fstest.MapFS{}, maker: &maker{t: t, key: key}}
	h.ca, h.proxy, h.etcd = h.issue("kubernetes", nil, nil), h.issue("front-proxy-ca", nil, nil), h.issue("etcd-ca", nil, nil)
	h.pair(pki+"ca", h.ca)
	h.pair(pki+"front-proxy-ca", h.proxy)
	h.pair(pki+"etcd/ca", h.etcd)
	h.pair(pki+"apiserver", h.issue("kube-apiserver", &h.ca, func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"kubernetes"}, []net.IP{net.ParseIP("192.0.2.1")}
	}))
	h.pair(pki+"apiserver-kubelet-client", h.issue("kube-apiserver-kubelet-client", &h.ca, nil))
	h.pair(pki+"front-proxy-client", h.issue("front-proxy-client", &h.proxy, nil))
	for _, name := range []string{"apiserver-etcd-client", "etcd/server", "etcd/peer", "etcd/healthcheck-client"} {
		h.pair(pki+name, h.issue(name, &h.etcd, nil))
	}
	for _, name := range []string{"admin", "super-admin", "controller-manager", "scheduler"} {
		h.put("/etc/kubernetes/"+name+".conf", h.kubeconfig(h.issue(name, &h.ca, nil)), 0o600)
	}
	h.kubelet()
	sa := h.issue("sa", nil, nil)
	public, err := x509.MarshalPKIXPublicKey(sa.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	h.put(pki+"sa.key", sa.keyPEM(), 0o600)
	h.put(pki+"sa.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600)
	h.put("/etc/kubernetes/manifests/kube-apiserver.yaml", manifest("kube-apiserver", "--etcd-servers=https://127.0.0.1:2379",
		"--tls-cert-file=/etc/kubernetes/pki/apiserver.crt"), 0o600)
	h.put("/etc/kubernetes/manifests/etcd.yaml", manifest("etcd", "--cert-file=/etc/kubernetes/pki/etcd/server.crt"), 0o600)
	return h
}

// kubelet puts what a kubelet has.
func (h *host) kubelet() {
	client := h.issue("system:node:cp1", &h.ca, nil)
	h.put("/var/lib/kubelet/pki/kubelet-client-current.pem", append(client.pem(), client.keyPEM()...), 0o600)
	h.put("/etc/kubernetes/kubelet.conf", []byte("clusters: [{name: c, cluster: {server: s}}]\nusers:\n- name: u\n  user:\n"+
		"    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n"), 0o600)
	h.pair("/var/lib/kubelet/pki/kubelet", h.issue("cp1@1", nil, func(c *x509.Certificate) { c.NotAfter = begin().Add(year) }))
}

func manifest(command ...string) []byte {
	return []byte("spec:\n  containers:\n  - command:\n    - " + strings.Join(command, "\n    - ") + "\n")
}

// unknown changes the algorithm of an Ed25519 certificate's key to one that there is not.
func unknown(p pair) []byte {
	der := bytes.ReplaceAll(p.cert.Raw, []byte{0x06, 0x03, 0x2b, 0x65, 0x70}, []byte{0x06, 0x03, 0x2b, 0x65, 0x7f})
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// find returns the rows of a name.
func find(rows []Row, name string) (all []Row) {
	for _, r := range rows {
		if r.Name == name {
			all = append(all, r)
		}
	}
	return all
}
