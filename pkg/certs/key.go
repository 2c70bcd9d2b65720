// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// errUnknownKey is the error of a key whose algorithm Go does not know.
var errUnknownKey = errors.New("its algorithm is not known here")

// publicPart is the public key of the first private key in PEM. The private one goes no
// further than this function.
func publicPart(raw []byte) (crypto.PublicKey, error) {
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			return publicOf(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("it is encrypted")
		}
	}
	return nil, errors.New("it holds no private key")
}

// publicOf parses a private key in any of the forms that there are. Its errors never quote
// what they could not parse.
func publicOf(der []byte) (crypto.PublicKey, error) {
	var private any
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		private = key
	} else if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		private = key
	} else if key, err := x509.ParseECPrivateKey(der); err == nil {
		private = key
	}
	if signer, ok := private.(crypto.Signer); ok {
		return signer.Public(), nil
	}
	return nil, errUnknownKey
}

// matches says why a private key is not the one of a certificate: empty if it is. proved
// is false where that cannot be said.
func matches(c *x509.Certificate, key []byte) (why string, proved bool) {
	public, err := publicPart(key)
	switch {
	case errors.Is(err, errUnknownKey) && c.PublicKey == nil:
		return "", false
	case err != nil:
		return "its key cannot be read: " + err.Error(), true
	case c.PublicKey == nil:
		return "its key is of another algorithm", true
	}
	comparable, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return "", false
	}
	if !comparable.Equal(public) {
		return "its key does not match it", true
	}
	return "", true
}

// publicDigest is the SHA-256 of the public part of a private key in PEM: what may be told
// of it, and is equal where the keys are.
func publicDigest(raw []byte) (string, error) {
	public, err := publicPart(raw)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", err
	}
	return digest(der), nil
}

// pemDigest is the SHA-256 of a public key in PEM.
func pemDigest(raw []byte) (string, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return "", errors.New("it holds no public key")
	}
	if block.Type == "RSA PUBLIC KEY" {
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return "", err
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		return digest(der), err
	}
	return digest(block.Bytes), nil
}
