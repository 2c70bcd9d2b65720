// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The bounds of what is read of one file.
const (
	// MostOfFile is how many bytes a file of certificates may have.
	MostOfFile = 1 << 20
	// mostInFile is how many certificates are read of one file.
	mostInFile = 64
	// mostNames is how many names of a certificate are told.
	mostNames = 64
)

// Certificate is what is told of one certificate; all of it is public.
type Certificate struct {
	Subject string `json:"subject"`
	Issuer  string `json:"issuer"`
	// Serial is in hexadecimal digits.
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	// Key is the algorithm of its key, with its size.
	Key string `json:"key"`
	// Names are the names and addresses that it is valid for.
	Names []string `json:"names,omitempty"`
	// PublicKey is the SHA-256 of the public key's DER, Fingerprint that of the whole.
	PublicKey   string `json:"publicKey"`
	Fingerprint string `json:"fingerprint"`
}

// Describe says what a certificate is.
func Describe(c *x509.Certificate) Certificate {
	return Certificate{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: serial(c), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
		Key: algorithm(c), Names: names(c), PublicKey: digest(c.RawSubjectPublicKeyInfo), Fingerprint: digest(c.Raw),
	}
}

func serial(c *x509.Certificate) string {
	if c.SerialNumber == nil {
		return ""
	}
	return hex.EncodeToString(c.SerialNumber.Bytes())
}

func digest(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// algorithm names the algorithm of a key, also of one that Go does not know.
func algorithm(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "an algorithm that is not known here"
}

// names are those that a client may call the server by.
func names(c *x509.Certificate) []string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	return all[:min(len(all), mostNames)]
}

// errNoCertificate is the error of PEM without a certificate.
var errNoCertificate = errors.New("it holds no certificate")

// Bundle reads the certificates in PEM, in their order. Anything else in it is passed
// over, so that a file may hold a key beside them.
func Bundle(raw []byte) ([]*x509.Certificate, error) {
	if len(raw) > MostOfFile {
		return nil, fmt.Errorf("it has more than %d bytes", MostOfFile)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, errors.New("it is empty")
	}
	var all []*x509.Certificate
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if len(all) == mostInFile {
			return all, fmt.Errorf("it holds more than %d certificates", mostInFile)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate %d in it: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errNoCertificate
	}
	return all, nil
}

// signed says why a certificate is not signed by one of some authorities: empty if it is.
// proved is false where an algorithm is not known here: names and key identifiers agree
// then, and the signature was not checked.
func signed(leaf *x509.Certificate, authorities []*x509.Certificate) (why string, proved bool) {
	why = "it is not signed by its authority"
	for _, ca := range authorities {
		if !bytes.Equal(leaf.RawIssuer, ca.RawSubject) || !sameKey(leaf, ca) {
			continue
		}
		err := leaf.CheckSignatureFrom(ca)
		switch {
		case err == nil:
			return "", true
		case errors.Is(err, x509.ErrUnsupportedAlgorithm):
			return "", false
		}
		why = "it is not signed by its authority: " + err.Error()
	}
	return why, true
}

// sameKey compares the identifiers of keys, where both have one.
func sameKey(leaf, ca *x509.Certificate) bool {
	return len(leaf.AuthorityKeyId) == 0 || len(ca.SubjectKeyId) == 0 || bytes.Equal(leaf.AuthorityKeyId, ca.SubjectKeyId)
}
