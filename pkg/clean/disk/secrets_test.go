// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestWhatIsSecretIsToldByWhatAFileIs(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2ln"
	for _, tc := range []struct {
		name, path, content string
		want                secrecy
	}{
		{"a key in PEM", "ca.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})), opens},
		{"a certificate with its key", "kubelet-client-current.pem", "-----BEGIN CERTIFICATE-----\nx\n-----BEGIN RSA PRIVATE KEY-----\n", opens},
		{"a key in DER, by no name that tells", "blob", string(pkcs8), opens},
		{"a key in the older form of DER", "blob.der", string(sec1), opens},
		{"a key by its name only", "kubelet.key", "key\n", opens},
		{"a store of keys", "client.p12", "\x30\x82", opens},
		{"a public key", "sa.pub", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), open},
		{"a public key in DER", "sa.der", string(public), open},
		{"a certificate", "ca.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", open},
		{"a kubeconfig in YAML", "admin.conf", "users:\n- user:\n    client-key-data: LS0t\n", opens},
		{"a kubeconfig in JSON", "admin.conf", `{"users":[{"user":{"token": "x"}}]}`, opens},
		{"a kubeconfig in compact JSON", "c", `{"users":[{"user":{"token":"x"}}]}`, opens},
		{"a kubeconfig in YAML's flow style", "c", "users: [{user: {token: x}}]", opens},
		{"a kubeconfig with single quotes", "c", "users:\n- user:\n    'token' : 'x'\n", opens},
		{"a kubeconfig with a block for a value", "c", "    token: |\n      abc\n", opens},
		{"a kubeconfig with CRLF", "c", "  user:\r\n    password: x\r\n", opens},
		{"a kubeconfig in UTF-16", "c", "\xff\xfet\x00o\x00k\x00e\x00n\x00:\x00 \x00x\x00", opens},
		{"a kubeconfig that names files only", "kubelet.conf",
			"users:\n- user:\n    client-certificate: /var/lib/kubelet/pki/a.pem\n    client-key: /var/lib/kubelet/pki/a.pem\n    tokenFile: " +
				"/t\n", open},
		{"the kubeconfig of a CNI plugin", "calico-kubeconfig", "users:\n- name: calico\n  user:\n    token: " + jwt + "\n", opens},
		{"a token by its form", "x", "Authorization Bearer " + jwt, opens},
		{"a bootstrap token by its form", "x", "join abcdef.0123456789abcdef now", opens},
		{"an EncryptionConfiguration", "enc.yaml", "providers:\n- aescbc:\n    keys:\n    - name: key1\n      secret: c2VjcmV0\n", guarded},
		{"an EncryptionConfiguration in JSON", "enc", `{"keys":[{"name":"k","secret":"c2Vj"}]}`, guarded},
		{"credentials of registries", "config.json", `{"auths":{"r.example":{"auth":"dTpw"}}}`, guarded},
		{"a static pod with a password in its environment", "pod.yaml", "env:\n- name: DB_PASSWORD\n  value: hunter2\n", guarded},
		{"a list of tokens by its name", "known-tokens.csv", "abc,admin,1\n", guarded},
		{"a static pod of kubeadm's", "kube-apiserver.yaml",
			"- --service-account-key-file=/etc/kubernetes/pki/sa.pub\n- --enable-bootstrap-token-auth=true\n", open},
		{"the kubelet's configuration", "config.yaml",
			"authentication:\n  webhook:\n    cacheTTL: 0s\nstaticPodPath: /etc/kubernetes/manifests\ntlsPrivateKeyFile: /x.pem\n", open},
		{"a network's configuration", "10-flannel.conflist", `{"name":"cbr0","plugins":[{"type":"flannel"}]}`, open},
		{"an empty file", "kubeadm-flags.env", "", open},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := secrecyOf("/etc/kubernetes/"+tc.path, []byte(tc.content)); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestWhatIsLeftOutOfABackup(t *testing.T) {
	const key, auth, plain = "-----BEGIN PRIVATE KEY-----", `{"auth":"x"}`, "kind: Pod"
	for _, tc := range []struct {
		name               string
		choices            inventory.Choices
		key, auth, nothing bool
	}{
		{"by default what opens the cluster", inventory.Choices{}, true, false, false},
		{"everything secret, if keys are not to be kept", inventory.Choices{NoKeys: true}, true, true, false},
		{"nothing, if keys are to be backed up", inventory.Choices{BackupKeys: true}, false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for content, want := range map[string]bool{key: tc.key, auth: tc.auth, plain: tc.nothing} {
				if why := leftOut(tc.choices, "/f", []byte(content)); (why != "") != want {
					t.Errorf("%q: %q", content, why)
				}
			}
		})
	}
}

func FuzzSecrecyOf(f *testing.F) {
	f.Add("a.key", []byte("key"))
	f.Add("admin.conf", []byte("token: x"))
	f.Add("x", []byte{0x30, 0x82, 0x00})
	f.Fuzz(func(t *testing.T, path string, content []byte) {
		secrecyOf(path, content)
		with := append(append([]byte{}, content...), "\n-----BEGIN PRIVATE KEY-----\n"...)
		if len(content) > 1 && (content[0] == 0xff || content[0] == 0xfe) {
			return // another encoding
		}
		if secrecyOf(path, with) != opens {
			t.Errorf("a private key is not found behind %q", content)
		}
	})
}
