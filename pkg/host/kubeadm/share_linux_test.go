// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// decrypt is how kubeadm join reads what is shared.
func decrypt(t *testing.T, key, data []byte) string {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) < seal.NonceSize() {
		t.Fatalf("%d bytes", len(data))
	}
	plain, err := seal.Open(nil, data[:seal.NonceSize()], data[seal.NonceSize():], nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func pki(t *testing.T, dir string, names ...string) host.Local {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		path := filepath.Join(root, dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("the text of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return host.Local{Root: root}
}

func TestWhatAControlPlaneSharesIsReadByKubeadm(t *testing.T) {
	stacked := []string{"ca.crt", "ca.key", "etcd/ca.crt", "etcd/ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"}
	external := []string{"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub", "e/ca.crt"}
	for name, c := range map[string]struct {
		shared  Shared
		dir     string
		files   []string
		want    map[string]string
		missing []string
	}{
		"etcd on the control planes": {Shared{}, CertificatesDir, stacked,
			map[string]string{"etcd-ca.key": "the text of etcd/ca.key", "ca.key": "the text of ca.key", "sa.pub": "the text of sa.pub"}, nil},
		"a directory of one's own": {Shared{Dir: "/srv/pki"}, "/srv/pki", stacked, map[string]string{"ca.crt": "the text of ca.crt"}, nil},
		"an etcd of its own hosts, without certificates of clients": {Shared{External: &[3]string{"/etc/kubernetes/pki/e/ca.crt", "", ""}},
			CertificatesDir, external, map[string]string{"external-etcd-ca.crt": "the text of e/ca.crt", "external-etcd.key": ""}, nil},
		"an authority whose key is elsewhere": {Shared{}, CertificatesDir,
			slices.DeleteFunc(slices.Clone(stacked), func(s string) bool { return s == "ca.key" || s == "etcd/ca.key" }),
			nil, []string{"/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/etcd/ca.key"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.shared.Host = pki(t, c.dir, c.files...)
			key := bytes.Repeat([]byte{7}, 32)
			got, missing, err := c.shared.Encrypt(key)
			if err != nil || !slices.Equal(missing, c.missing) {
				t.Fatalf("missing %q, error %v", missing, err)
			}
			for name, want := range c.want {
				sealed, there := got[name]
				if !there {
					t.Errorf("kubeadm refuses a secret without %s", name)
				} else if want == "" && len(sealed) > 0 || want != "" && decrypt(t, key, sealed) != want {
					t.Errorf("%s is not %q", name, want)
				}
				if bytes.Contains(sealed, []byte("text")) {
					t.Errorf("%s is not encrypted", name)
				}
			}
		})
	}
}

func TestAPathThatIsNoneIsNotRead(t *testing.T) {
	for name, shared := range map[string]Shared{
		"relative":       {Dir: "etc/kubernetes/pki"},
		"with a step up": {External: &[3]string{"/etc/kubernetes/../shadow", "", ""}},
		"with a NUL":     {External: &[3]string{"/etc/shadow\x00", "", ""}},
	} {
		shared.Host = pki(t, CertificatesDir, "ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub")
		if got, _, err := shared.Encrypt(make([]byte, 32)); err == nil {
			t.Errorf("%s: %d files", name, len(got))
		}
	}
	if _, _, err := (Shared{}).Encrypt([]byte("short")); err == nil {
		t.Error("a key that is none")
	}
}
