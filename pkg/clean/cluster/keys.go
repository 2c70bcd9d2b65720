// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"iter"
	"slices"
	"strings"
	"time"
)

// pin is how kubeadm writes the hash of a public key (cmd/kubeadm/app/util/pubkeypin, 1.36).
const pin = "sha256:"

// The bounds of keys in one text: to take one apart costs a while. One of RSA with 8,192 bits
// has 4.7 KB.
const (
	mostKeys   = 32
	longestKey = 6 << 10
)

// Signing adds the public keys that are in some files of kubeadm's, as PEM: in certificates
// and by themselves (sa.pub). What is no such file adds none.
func (id Identity) Signing(files ...[]byte) Identity {
	for _, raw := range files {
		for block := range blocks(raw) {
			var public []byte
			switch block.Type {
			case "CERTIFICATE":
				if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
					public = cert.RawSubjectPublicKeyInfo
				}
			case "PUBLIC KEY":
				public = block.Bytes
			}
			if sum := hash(public); sum != "" && len(id.Keys) < mostFound && !slices.Contains(id.Keys, sum) {
				id.Keys = append(id.Keys, sum)
			}
		}
	}
	return id
}

// ValidFrom is the time from which the first certificate of a PEM text is valid; zero for none.
func ValidFrom(raw []byte) time.Time {
	for block := range blocks(raw) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			return cert.NotBefore
		}
	}
	return time.Time{}
}

// privateKeys are the hashes of the public halves of the private keys in a PEM text, and
// whether there are more than are looked at. One behind a password is none that is found.
func privateKeys(raw []byte) (out []string, more bool) {
	for block := range blocks(raw) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if len(out) == mostKeys {
			return out, true
		}
		if len(block.Bytes) > longestKey {
			more = true
			continue
		}
		if sum := hash(publicHalf(block.Bytes)); sum != "" {
			out = append(out, sum)
		}
	}
	return out, more
}

// publicHalf is the public half of a private key, encoded; empty for what is no key.
func publicHalf(private []byte) []byte {
	for _, parse := range []func([]byte) (any, error){
		func(raw []byte) (any, error) { return x509.ParsePKCS1PrivateKey(raw) },
		func(raw []byte) (any, error) { return x509.ParseECPrivateKey(raw) },
		x509.ParsePKCS8PrivateKey,
	} {
		key, err := parse(private)
		signer, signs := key.(crypto.Signer)
		if err != nil || !signs {
			continue
		}
		if out, err := x509.MarshalPKIXPublicKey(signer.Public()); err == nil {
			return out
		}
	}
	return nil
}

// blocks are the parts of a PEM text, as many as are looked at.
func blocks(raw []byte) iter.Seq[*pem.Block] {
	return func(yield func(*pem.Block) bool) {
		for range mostCertificates {
			block, rest := pem.Decode(raw)
			if block == nil || !yield(block) {
				return
			}
			raw = rest
		}
	}
}

// hash is how an encoded public key is told from others; empty for none.
func hash(public []byte) string {
	if len(public) == 0 {
		return ""
	}
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:])
}
