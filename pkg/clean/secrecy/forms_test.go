// SPDX-License-Identifier: Apache-2.0

package secrecy

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
)

// folded is a text in base64 in lines of 64, each after some spaces.
func folded(content []byte, indent string) string {
	text, out := base64.StdEncoding.EncodeToString(content), ""
	for len(text) > 64 {
		out, text = out+indent+text[:64]+"\n", text[64:]
	}
	return out + indent + text + "\n"
}

// keys are private ones in DER, by their form.
func keys(t *testing.T) map[string][]byte {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{"PKCS#1": x509.MarshalPKCS1PrivateKey(rs)}
	for name, key := range map[string]any{"RSA": rs, "EC": ec, "Ed25519": ed} {
		if out["PKCS#8 "+name], err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			t.Fatal(err)
		}
	}
	if out["SEC 1"], err = x509.MarshalECPrivateKey(ec); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNoKeyIsHarmlessInWhateverFormItIs(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte("-----BEGIN PRIVATE KEY-----")); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	if is := Of("/etc/kubernetes/pki/pki.tgz", packed.Bytes()); is < Unknown {
		t.Errorf("an archive is %d", is)
	}
	for name, der := range keys(t) {
		text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		for path, content := range map[string]string{
			"pki/ca.key.b64":      base64.StdEncoding.EncodeToString(text),
			"pki/ca.key.folded":   folded(text, ""),
			"pki/ca.der.b64":      base64.StdEncoding.EncodeToString(der),
			"manifests/a.yaml":    "kind: Pod\nmetadata:\n  annotations:\n    x: " + base64.StdEncoding.EncodeToString(text) + "\n",
			"manifests/b.yaml":    "kind: Pod\nspec:\n  args:\n  - x" + base64.RawURLEncoding.EncodeToString(text) + "\n",
			"manifests/etcd.yaml": "kind: Pod\nx: |\n" + folded(text, "    ") + "y: z\n",
			"manifests/d.yaml":    "kind: Pod\nx: " + base64.StdEncoding.EncodeToString(der) + "\n",
			"manifests/e.yaml":    "kind: Pod\nx: |\n" + folded(der, "  ") + "more: abc\n",
			"manifests/f.yaml":    "kind: Pod\nx: " + base64.StdEncoding.EncodeToString([]byte(folded(text, ""))) + "\n",
			"pki/a.crt":           "-----BEGIN CERTIFICATE-----\n" + folded(der, "") + "-----END CERTIFICATE-----\n",
			"pki/b.crt":           "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" + folded(der, ""),
			"pki/blob":            string(der),
			"pki/blob2":           "\x00\x01" + string(der),
			"admin.conf":          "kind: Config\nusers:\n- user:\n    client-key-data: " + base64.StdEncoding.EncodeToString(text) + "\n",
			"pki/secret.yaml":     "kind: Secret\ndata:\n  tls.key: " + base64.StdEncoding.EncodeToString(text) + "\n",
			"../cni/net.d/x.conf": `{"name":"x","type":"y","z":"` + base64.StdEncoding.EncodeToString(text) + `"}`,
		} {
			if is := Of("/etc/kubernetes/"+path, []byte(content)); is < Unknown {
				t.Errorf("%s in %s: %d", name, path, is)
			}
		}
	}
}

func TestWhatIsNotRecognisedIsNotHarmless(t *testing.T) {
	for name, tc := range map[string]struct{ path, content string }{
		"static tokens":         {"pki/token.csv", "31ada4fd-adec-460c-809a-9e56ceb75269,admin,admin,\"system:masters\"\n"},
		"static passwords":      {"pki/users.csv", "s3cret,admin,admin,\"system:masters\"\n"},
		"tokens behind a name":  {"auth/static", "0123,admin,admin\n"},
		"PKCS#12":               {"pki/admin.bundle", "\x30\x82\x0a\x00\x02\x01\x03\x30"},
		"xz":                    {"pki/old.tar.xz", "\xfd7zXZ\x00"},
		"a tape archive":        {"pki/old.tar", "pki/ca.crt\x00\x00\x00-----BEGIN CERTIFICATE-----\n"},
		"a plain word":          {"pki/passphrase", "correct horse battery staple\n"},
		"hexadecimal":           {"key.hex", strings.Repeat("0123456789abcdef", 4) + "\n"},
		"an encrypted key":      {"pki/ca.pem.age", "age-encryption.org/v1\n-> X25519 abc\n"},
		"a Secret":              {"pki/x.yaml", "apiVersion: v1\nkind: Secret\nstringData:\n  x: y\n"},
		"a Secret behind a Pod": {"manifests/x.yaml", "kind: Pod\nspec: {}\n---\nkind: Secret\nstringData:\n  x: y\n"},
		"two kinds in one":      {"manifests/y.yaml", "kind: Pod\nkind: Secret\n"},
		"a list":                {"x.json", `{"kind":"List","items":[{"kind":"Secret"}]}`},
		"a ConfigMap":           {"x.yaml", "kind: ConfigMap\ndata:\n  x: y\n"},
		"settings of a cloud":   {"cloud.conf", "[Global]\nuser = x\n"},
		"a script":              {"renew.sh", "#!/bin/sh\ncurl -u admin:hunter2 https://api\n"},
		"a comment alone":       {"notes.yaml", "# the word is hunter2\n"},
		"a join":                {"join.yaml", "kind: JoinConfiguration\ndiscovery:\n  bootstrapToken:\n    token: abcdef.0123456789abcdef\n"},
		"a certificate key":     {"init.yaml", "kind: InitConfiguration\ncertificateKey: 0123456789abcdef\n"},
		"a bootstrap token in a kubeconfig": {"bootstrap-kubelet.conf",
			"kind: Config\nusers:\n- name: tls-bootstrap-token-user\n  user:\n    token: abcdef.0123456789abcdef\n"},
		"one in YAML's flow style": {"bootstrap-kubelet.conf", "kind: Config\nusers: [{user: {token: abcdef.0123456789abcdef}}]\n"},
		"a token in base64": {"manifests/x.yaml",
			"kind: Pod\nx: " + base64.StdEncoding.EncodeToString([]byte("abcdef.0123456789abcdef")) + "\n"},
		"a token as a flag": {"manifests/x.yaml", "kind: Pod\nargs:\n- --token=hunter2\n"},
		"a flag in a list":  {"manifests/x.yaml", `{"kind":"Pod","args":["--bootstrap-token=hunter2"]}`},
		"a header":          {"manifests/x.yaml", "kind: Pod\nargs:\n- 'Authorization: Bearer hunter2'\n"},
		"a program that asks for credentials": {"admin.conf",
			"kind: Config\nusers:\n- user:\n    exec:\n      command: login\n      args: [a, hunter2]\n"},
		"the secret of a kubeconfig's provider": {"admin.conf",
			"kind: Config\nusers:\n- user:\n    x:\n      client-secret: hunter2\n"},
		"a password in a kubeconfig's address": {"kubelet.conf",
			"kind: Config\nclusters:\n- cluster:\n    server: https://a:hunter2@api:6443\n"},
		"keys of an EncryptionConfiguration": {"pki/encryption.yaml",
			"kind: EncryptionConfiguration\nresources:\n- providers:\n  - aesgcm:\n      keys:\n      - name: a\n        secret: aHVudGVyMg==\n"},
		"a text beside a certificate": {"pki/ca.crt", "hunter2,admin,1\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
		"a text in a certificate":     {"pki/ca.crt", "-----BEGIN CERTIFICATE-----\nhunter2,admin,1\n-----END CERTIFICATE-----\n"},
		"a certificate without end":   {"pki/ca.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n"},
		"another block":               {"pki/ca.crt", "-----BEGIN PKCS7-----\nMIIB\n-----END PKCS7-----\n"},
	} {
		if is := Of("/etc/kubernetes/"+tc.path, []byte(tc.content)); is < Unknown {
			t.Errorf("%s: %d", name, is)
		}
	}
}

// What kubeadm writes, but for keys and credentials, and what people configure an API server
// by.
func TestWhatIsHarmlessIsRecognised(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	// kubeadm's authorities have serial number 0 before 1.28.
	template := &x509.Certificate{SerialNumber: big.NewInt(0), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		"/etc/kubernetes/pki/ca.crt":      cert,
		"/etc/kubernetes/pki/bundle.crt":  "# two\n" + cert + "\n" + cert,
		"/etc/kubernetes/pki/etcd/ca.crt": "Certificate:\n    Data:\n        Version: 3 (0x2)\n" + cert,
		"/etc/kubernetes/pki/ca.der":      string(der),
		"/etc/kubernetes/pki/sa.pub":      string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"/etc/kubernetes/kubelet.conf": "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: " +
			base64.StdEncoding.EncodeToString([]byte(cert)) + "\n    server: https://192.0.2.1:6443\n  name: kubernetes\ncontexts:\n- context:\n" +
			"    cluster: kubernetes\n    user: system:node:w1\n  name: default\ncurrent-context: default\nkind: Config\nusers:\n- name: " +
			"system:node:w1\n  user:\n    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n    client-key: " +
			"/var/lib/kubelet/pki/kubelet-client-current.pem\n",
		"/etc/kubernetes/manifests/kube-apiserver.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    kubeadm.kubernetes.io/" +
			"kube-apiserver.advertise-address.endpoint: 192.0.2.1:6443\nspec:\n  containers:\n  - command:\n    - kube-apiserver\n" +
			"    - --authorization-mode=Node,RBAC\n    - --enable-bootstrap-token-auth=true\n" +
			"    - --token-auth-file=/etc/kubernetes/pki/token.csv\n" +
			"    - --service-account-signing-key-file=/etc/kubernetes/pki/sa.key\n    - --tls-private-key-file=/etc/kubernetes/pki/apiserver.key\n",
		"/etc/kubernetes/manifests/mine.yaml": "# mine\n---\nkind: Pod\nspec:\n  volumes:\n  - projected:\n      sources:\n      - " +
			"serviceAccountToken:\n          path: token\n  hostNetwork: true\n",
		"/var/lib/kubelet/config.yaml": "apiVersion: kubelet.config.k8s.io/v1beta1\nauthentication:\n  anonymous:\n    enabled: false\n" +
			"  webhook:\n    cacheTTL: 0s\n    enabled: true\n  x509:\n    clientCAFile: /etc/kubernetes/pki/ca.crt\n" +
			"authorization:\n  mode: Webhook\n" +
			"kind: KubeletConfiguration\nrotateCertificates: true\nserverTLSBootstrap: true\n",
		"/var/lib/kubelet/instance-config.yaml": "containerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n",
		"/var/lib/kubelet/kubeadm-flags.env":    "KUBELET_KUBEADM_ARGS=\"--pod-infra-container-image=registry.k8s.io/pause:3.10\"\n",
		"/etc/kubernetes/audit.yaml":            "kind: Policy\nrules:\n- level: Metadata\n  resources:\n  - resources: [secrets]\n",
		"/etc/kubernetes/admission.json":        `{"kind": "AdmissionConfiguration", "plugins": []}`,
		"/etc/kubernetes/authn.yaml":            "kind: AuthenticationConfiguration\njwt: []\n",
		"/etc/cni/net.d/10-flannel.conflist":    `{"name":"cbr0","cniVersion":"0.3.1","plugins":[{"type":"flannel"},{"type":"portmap"}]}`,
	} {
		if is := Of(path, []byte(content)); is != Open {
			t.Errorf("%s: %d", path, is)
		}
	}
}
