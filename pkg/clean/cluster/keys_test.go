// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// authority is a CA's certificate, and its key in the forms in which keys are kept.
func authority(t *testing.T, key crypto.Signer) (certificate string, keys []string) {
	t.Helper()
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, raw []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
	}
	raw8, err := x509.MarshalPKCS8PrivateKey(key)
	keys = append(keys, text("PRIVATE KEY", raw8, err))
	switch key := key.(type) {
	case *rsa.PrivateKey:
		keys = append(keys, text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil))
	case *ecdsa.PrivateKey:
		raw, err := x509.MarshalECPrivateKey(key)
		keys = append(keys, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"+text("EC PRIVATE KEY", raw, err))
	}
	return text("CERTIFICATE", raw, nil), keys
}

func TestAPrivateKeyOfTheClustersIsKnownByItsPublicHalf(t *testing.T) {
	const vouches = "a private key with which the cluster vouches for anyone"
	const pinned = "the hash of the cluster's certificate authority, as one joins with it"
	ours, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	ca, keys := authority(t, ours)
	caOfEtcd, keysOfEtcd := authority(t, curve())
	_, theirs := authority(t, curve())
	accounts := curve()
	_, accountKeys := authority(t, accounts)
	public, err := x509.MarshalPKIXPublicKey(accounts.Public())
	if err != nil {
		t.Fatal(err)
	}
	id := Identify([]byte(ca)).Signing([]byte(caOfEtcd), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), nil)
	byKubeconfig := Identify(nil, []byte("certificate-authority-data: "+b64(ca)+"\nserver: https://192.0.2.1:6443"))
	for name, tc := range map[string]struct{ text, want string }{
		"the CA's, as kubeadm writes it":   {keys[1], vouches},
		"the CA's in another form":         {keys[0], vouches},
		"etcd's CA's, with its parameters": {keysOfEtcd[1], vouches},
		"of ServiceAccounts' tokens":       {accountKeys[0], vouches},
		"behind a key of another's":        {theirs[0] + theirs[1] + keys[1], vouches},
		"in a Secret":                      {"data:\n  tls.key: " + b64(keys[0]), vouches},
		"in a string of JSON":              {`{"key":"` + strings.ReplaceAll(keys[1], "\n", `\n`) + `"}`, vouches},
		"indented in YAML":                 {"key: |\n    " + strings.ReplaceAll(keys[1], "\n", "\n    "), vouches},
		"another's":                        {theirs[0] + theirs[1], ""},
		"a key that is cut off":            {keys[1][:len(keys[1])/2], ""},
		"junk that says that it is a key":  {"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", ""},
		"its certificate, which says more": {ca, "the cluster's certificate authority"},
		"a command that joins a node":      {"kubeadm join lb:6443 --discovery-token-ca-cert-hash sha256:" + id.Keys[0], pinned},
		"the same, encoded in a file for a cloud": {"content: " +
			b64("kubeadm join lb:6443 --discovery-token-ca-cert-hash sha256:"+id.Keys[0]), pinned},
		"another cluster's command": {"kubeadm join lb:6443 --discovery-token-ca-cert-hash sha256:" + strings.Repeat("ab", 32), ""},
		"more keys than are looked at": {strings.Repeat(theirs[0], mostKeys+1),
			"not looked at: it has more certificates, keys or tokens than are read of a file"},
		"a key that is longer than any": {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: make([]byte, longestKey+1)})),
			"not looked at: it has more certificates, keys or tokens than are read of a file"},
	} {
		if got := id.Refer([]byte(tc.text), "w1", time.Unix(1, 0)).String(); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	if got := byKubeconfig.Refer([]byte(keys[0]), "w1", time.Unix(1, 0)); got.String() != vouches || got.Leads() {
		t.Errorf("by the CA of a kubeconfig: %q", got)
	}
	if got := (Identity{}).Refer([]byte(keys[0]), "", time.Time{}).String(); got != "" {
		t.Errorf("where no cluster is known: %q", got)
	}
}
