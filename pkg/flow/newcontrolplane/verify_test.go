// SPDX-License-Identifier: Apache-2.0

package newcontrolplane

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"maps"
	"strings"
	"testing"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/certificates"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// seal is what a control plane does with a file.
func seal(t *testing.T, key certificates.Key, plain []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce)
	return gcm.Seal(nonce, nonce, plain, nil)
}

// authority is a certificate that signs itself, its key, and its pin.
func authority(t *testing.T) (crt, key []byte, pin string) {
	t.Helper()
	crt, key, err := cert.GenerateSelfSignedCertKey("kubernetes", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := cert.ParseCertsPEM(crt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyutil.ParsePrivateKeyPEM(key); err != nil {
		t.Fatal(err)
	}
	return crt, key, join.Pin(all[0])
}

func TestOnlyTheCertificatesOfThisClusterAreTaken(t *testing.T) {
	key := certificates.NewKey()
	crt, private, pin := authority(t)
	otherCrt, otherPrivate, _ := authority(t)
	whole := map[string][]byte{}
	for name, plain := range map[string][]byte{"ca.crt": crt, "ca.key": private, "front-proxy-ca.crt": crt, "front-proxy-ca.key": private,
		"etcd-ca.crt": crt, "etcd-ca.key": private, "sa.key": private, "sa.pub": []byte("public")} {
		whole[name] = seal(t, key, plain)
	}
	with := func(changes map[string][]byte) map[string][]byte {
		files := maps.Clone(whole)
		maps.Copy(files, changes)
		maps.DeleteFunc(files, func(_ string, v []byte) bool { return v == nil })
		return files
	}
	first := all(t, crt)
	for name, c := range map[string]struct {
		files    map[string][]byte
		external *join.ExternalEtcd
		refusal  string
	}{
		"all of them":              {whole, nil, ""},
		"a file that is not asked": {with(map[string][]byte{"mallory": seal(t, key, crt)}), nil, "mallory"},
		"a file too few":           {with(map[string][]byte{"sa.pub": nil}), nil, "sa.pub"},
		"not sealed":               {with(map[string][]byte{"sa.key": []byte("a key that everyone can read")}), nil, "sa.key"},
		"sealed with another key":  {with(map[string][]byte{"sa.key": seal(t, certificates.NewKey(), private)}), nil, "sa.key"},
		"too short to be sealed":   {with(map[string][]byte{"sa.key": []byte("x")}), nil, "too short"},
		"another authority": {with(map[string][]byte{"ca.crt": seal(t, key, otherCrt), "ca.key": seal(t, key, otherPrivate)}), nil,
			"another authority"},
		"a key of another":      {with(map[string][]byte{"ca.key": seal(t, key, otherPrivate)}), nil, "ca.crt and ca.key"},
		"etcd's key of another": {with(map[string][]byte{"etcd-ca.key": seal(t, key, otherPrivate)}), nil, "etcd-ca.crt and etcd-ca.key"},
		"etcd elsewhere": {with(map[string][]byte{"etcd-ca.crt": nil, "etcd-ca.key": nil, "external-etcd-ca.crt": seal(t, key, crt),
			"external-etcd.crt": {}, "external-etcd.key": {}}), &join.ExternalEtcd{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := verify(c.files, join.Cluster{Pins: []string{"sha256:another", pin}, ExternalEtcd: c.external}, key)
			if c.refusal == "" && err != nil || c.refusal != "" && (plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), c.refusal)) {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), first) {
				t.Error("it shows a file")
			}
		})
	}
}

// all is a line of a file that no message may show.
func all(t *testing.T, pem []byte) string {
	t.Helper()
	return strings.Split(string(pem), "\n")[1]
}
