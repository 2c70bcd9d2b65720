// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// signsNow is what this machine can be told by.
func signsNow(t *testing.T) host.Signs {
	t.Helper()
	return host.Local{}.Signs()
}

// nameOf is the node that a certificate names.
func nameOf(t *testing.T, pem string) string {
	t.Helper()
	name := nameIn([]byte(pem))
	if name == "" {
		return "w"
	}
	return name
}

// kubeletCertificate is a certificate of a node's kubelet, as PEM.
func kubeletCertificate(t *testing.T, node string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	hosttest.Must(t, err)
	made := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "system:node:" + node}}
	der, err := x509.CreateCertificate(rand.Reader, made, made, key.Public(), key)
	hosttest.Must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
