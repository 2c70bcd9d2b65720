// SPDX-License-Identifier: Apache-2.0

package secrecy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
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
		want                Level
	}{
		{"a key in PEM", "ca.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})), Opens},
		{"a certificate with its key", "kubelet-client-current.pem", "-----BEGIN CERTIFICATE-----\nx\n-----BEGIN RSA PRIVATE KEY-----\n", Opens},
		{"a key in DER, by no name that tells", "blob", string(pkcs8), Opens},
		{"a key in the older form of DER", "blob.der", string(sec1), Opens},
		{"a key by its name only", "kubelet.key", "key\n", Opens},
		{"a store of keys", "client.p12", "\x30\x82", Opens},
		{"a public key", "sa.pub", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), Open},
		{"a public key in DER", "sa.der", string(public), Open},
		{"a certificate", "ca.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", Open},
		{"a kubeconfig in YAML", "admin.conf", "users:\n- user:\n    client-key-data: LS0t\n", Opens},
		{"a kubeconfig in JSON", "admin.conf", `{"users":[{"user":{"token": "x"}}]}`, Opens},
		{"a kubeconfig in compact JSON", "c", `{"users":[{"user":{"token":"x"}}]}`, Opens},
		{"a kubeconfig in YAML's flow style", "c", "users: [{user: {token: x}}]", Opens},
		{"a kubeconfig with single quotes", "c", "users:\n- user:\n    'token' : 'x'\n", Opens},
		{"a kubeconfig with a block for a value", "c", "    token: |\n      abc\n", Opens},
		{"a kubeconfig with CRLF", "c", "  user:\r\n    password: x\r\n", Opens},
		{"a kubeconfig in UTF-16", "c", "\xff\xfet\x00o\x00k\x00e\x00n\x00:\x00 \x00x\x00", Opens},
		{"a kubeconfig that names files only", "kubelet.conf",
			"users:\n- user:\n    client-certificate: /var/lib/kubelet/pki/a.pem\n    client-key: /var/lib/kubelet/pki/a.pem\n    tokenFile: " +
				"/t\n", Open},
		{"the kubeconfig of a CNI plugin", "calico-kubeconfig", "users:\n- name: calico\n  user:\n    token: " + jwt + "\n", Opens},
		{"a token by its form", "x", "Authorization Bearer " + jwt, Opens},
		{"a bootstrap token by its form", "x", "join abcdef.0123456789abcdef now", Opens},
		{"an EncryptionConfiguration", "enc.yaml", "providers:\n- aescbc:\n    keys:\n    - name: key1\n      secret: c2VjcmV0\n", Opens},
		{"an EncryptionConfiguration in JSON", "enc",
			`{"kind":"EncryptionConfiguration","resources":[{"providers":[{"secretbox":{"keys":[{"name":"k","secret":"c2Vj"}]}}]}]}`, Opens},
		{"an EncryptionConfiguration that has its keys elsewhere", "enc.yaml",
			"kind: EncryptionConfiguration\nresources:\n- providers:\n  - kms: {name: a, endpoint: unix:///run/kms.sock}\n", Open},
		{"credentials of registries", "config.json", `{"auths":{"r.example":{"auth":"dTpw"}}}`, Guarded},
		{"a static pod with a password in its arguments", "pod.yaml",
			"kind: Pod\nspec:\n  containers:\n  - command: [x, --db-password=hunter]\n", Guarded},
		{"a static pod with a client's secret in its arguments", "pod.yaml",
			"kind: Pod\nspec:\n  containers:\n  - args:\n    - --oidc-client-secret=hunter\n", Guarded},
		{"a static pod with a peer's password", "pod.yaml",
			"kind: Pod\nspec:\n  containers:\n  - env:\n    - name: bgp_peerpass\n      value: hunter\n", Guarded},
		{"a static pod with a password in its environment", "pod.yaml",
			"kind: Pod\nspec:\n  containers:\n  - env:\n    - name: DB_PASSWORD\n      value: hunter2\n", Guarded},
		{"a list of tokens by its name", "known-tokens.csv", "abc,admin,1\n", Unknown},
		{"a static pod of kubeadm's", "manifests/kube-apiserver.yaml",
			"- --service-account-key-file=/etc/kubernetes/pki/sa.pub\n- --enable-bootstrap-token-auth=true\n", Open},
		{"the kubelet's configuration", "config.yaml",
			"kind: KubeletConfiguration\nauthentication:\n  webhook:\n    cacheTTL: 0s\n" +
				"staticPodPath: /etc/kubernetes/manifests\ntlsPrivateKeyFile: /x.pem\n", Open},
		{"a network's configuration", "10-flannel.conflist", `{"name":"cbr0","plugins":[{"type":"flannel"}]}`, Open},
		{"an empty file", "kubeadm-flags.env", "", Open},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Of("/etc/kubernetes/"+tc.path, []byte(tc.content)); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func FuzzSecrecyOf(f *testing.F) {
	f.Add("a.key", []byte("key"))
	f.Add("admin.conf", []byte("token: x"))
	f.Add("x", []byte{0x30, 0x82, 0x00})
	f.Fuzz(func(t *testing.T, path string, content []byte) {
		Of(path, content)
		with := append(append([]byte{}, content...), "\n-----BEGIN PRIVATE KEY-----\n"...)
		if len(content) > 1 && (content[0] == 0xff || content[0] == 0xfe) {
			return // another encoding
		}
		if got := Of(path, with); got != Opens {
			t.Errorf("a private key is not found behind %q", content)
		}
	})
}
