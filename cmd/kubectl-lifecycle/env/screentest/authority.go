// SPDX-License-Identifier: Apache-2.0

package screentest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Authority is the certificate of the cluster's authority, in PEM: the same each time.
func Authority() []byte {
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat("screens!", ed25519.SeedSize/8)))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: Now().AddDate(-1, 0, 0), NotAfter: Now().AddDate(9, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err) // nothing of it comes from outside
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// ClusterInfo is the kubeconfig that kubeadm publishes of the cluster.
func ClusterInfo() string {
	raw, err := clientcmd.Write(clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{"": {
		Server: "https://api.example.com:6443", CertificateAuthorityData: Authority()}}})
	if err != nil {
		panic(err) // nothing of it comes from outside
	}
	return string(raw)
}
