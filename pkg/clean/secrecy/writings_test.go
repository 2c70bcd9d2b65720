// SPDX-License-Identifier: Apache-2.0

package secrecy

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// packed is a content as a compressor writes it.
func packed(t *testing.T, to func(io.Writer) io.WriteCloser, content string) string {
	t.Helper()
	var out bytes.Buffer
	w := to(&out)
	if _, err := io.WriteString(w, content); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.String()
}

func zipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

func deflated(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }

// each is a string with every byte in some writing.
func each(content, form string) string {
	out := ""
	for _, b := range []byte(content) {
		out += fmt.Sprintf(form, b)
	}
	return out
}

// quoted is a string as JSON has it in quotes, without them.
func quoted(content string) string {
	raw, _ := json.Marshal(content)
	return string(raw[1 : len(raw)-1])
}

func in64(content string) string { return base64.StdEncoding.EncodeToString([]byte(content)) }

func wide(content string) string {
	out := ""
	for _, unit := range utf16.Encode([]rune(content)) {
		out += string([]byte{byte(unit), byte(unit >> 8)})
	}
	return out
}

// A secret is one in every writing that something reads it from.
func TestASecretIsToldInWhateverWritingItIs(t *testing.T) {
	writings := map[string]func(string) string{
		"bytes in YAML's escapes":         func(s string) string { return `"` + each(s, `\x%02x`) + `"` },
		"characters in JSON's escapes":    func(s string) string { return `"` + each(s, `\u%04X`) + `"` },
		"YAML's long escapes":             func(s string) string { return `"` + each(s, `\U%08x`) + `"` },
		"one dash in an escape":           func(s string) string { return `"` + strings.Replace(quoted(s), "-", `\x2d`, 2) + `"` },
		"blanks in escapes":               func(s string) string { return `"` + strings.ReplaceAll(quoted(s), " ", `\x20`) + `"` },
		"octal, for a shell":              func(s string) string { return "$'" + each(s, `\%03o`) + "'" },
		"percents, as in an address":      func(s string) string { return "data:," + each(s, "%%%02X") },
		"folded in quotes":                func(s string) string { return `"` + strings.ReplaceAll(quoted(s), " ", "\n    ") + `"` },
		"folded with escaped line breaks": func(s string) string { return `"` + strings.ReplaceAll(quoted(s), "E", "\\\n    E") + `"` },
		"a literal block":                 func(s string) string { return "|\n    " + strings.ReplaceAll(s, "\n", "\n    ") },
		"a literal block after a comment": func(s string) string { return "|2- # x\n    " + strings.ReplaceAll(s, "\n", "\n    ") },
		"JSON in YAML":                    func(s string) string { return `'{"x":"` + quoted(s) + `"}'` },
		"JSON in JSON in YAML":            func(s string) string { return `"{\"x\":\"` + quoted(quoted(s)) + `\"}"` },
		"base64":                          in64,
		"base64 in escapes":               func(s string) string { return `"` + each(in64(s), `\x%02x`) + `"` },
		"base64 in JSON's lines":          func(s string) string { return `"` + quoted(folded([]byte(s), "")) + `"` },
		"base64 twice":                    func(s string) string { return in64(in64(s)) },
		"base64 three times":              func(s string) string { return in64(in64(in64(s))) },
		"base64 without end": func(s string) string {
			return strings.Repeat("A", 5) + in64(in64(in64(in64(in64(in64(in64(in64(s))))))))
		},
		"base64 of gzip":               func(s string) string { return in64(packed(t, zipped, s)) },
		"base64 of gzip behind a word": func(s string) string { return "word " + in64(packed(t, zipped, s)) },
		"base64 of gzip in lines":      func(s string) string { return "|\n" + folded([]byte(packed(t, zipped, s)), "    ") },
		"base64 of gzip of base64":     func(s string) string { return in64(packed(t, zipped, in64(s))) },
		"base64 of zlib":               func(s string) string { return in64(packed(t, deflated, s)) },
		"gzip in hexadecimal":          func(s string) string { return hex.EncodeToString([]byte(packed(t, zipped, s))) },
		"hexadecimal":                  func(s string) string { return hex.EncodeToString([]byte(s)) },
		"base32":                       func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) },
		"base64 of UTF-16":             func(s string) string { return in64(wide(s)) },
		"base64 of xz": func(s string) string {
			return in64("\xfd7zXZ\x00\x00\x04" + s[:8] + "\x01\x02\x03\x04\x05\x06\x07\x08")
		},
		"base64 of zstd": func(s string) string { return in64("\x28\xb5\x2f\xfd\x04\x58" + s[:8] + "\x01\x02\x03\x04\x05\x06") },
		"what ansible-vault has encrypted": func(s string) string {
			return "|\n    $ANSIBLE_VAULT;1.1;AES256\n    " + hex.EncodeToString([]byte(s[:16]))
		},
	}
	secrets := map[string]string{
		"a token of a kubeconfig's": "kind: Config\nusers:\n- user:\n    token: hunter2-hunter2\n",
		"a token for a bootstrap":   "a word and abcdef.0123456789abcdef and more\n",
		"a password":                "{\"password\": \"hunter2-hunter2\"}\n",
	}
	for name, der := range keys(t) {
		secrets["PEM of "+name] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	for how, write := range writings {
		for what, secret := range secrets {
			if what == "a token for a bootstrap" && strings.HasPrefix(how, "folded with") {
				continue // it has no such letter
			}
			for name, file := range map[string]string{
				"/etc/kubernetes/manifests/mine.yaml":           "kind: Pod\nmetadata:\n  annotations:\n    x: " + write(secret) + "\n",
				"/etc/kubernetes/manifests/kube-apiserver.yaml": "kind: Pod\nspec:\n  args:\n  - " + write(secret) + "\n",
				"/var/lib/kubelet/config.yaml":                  "kind: KubeletConfiguration\nx: " + write(secret) + "\ny: 1\n",
			} {
				if is := Of(name, []byte(file)); is < Unknown {
					t.Errorf("%s as %s in %s: %d", what, how, name, is)
				}
			}
		}
	}
}

func TestAnArgumentIsAFlagsValueAlsoBehindIt(t *testing.T) {
	for name, args := range map[string]string{
		"the next of a list":      "  - --token\n  - hunter2\n",
		"the next of a flow list": "  args: [\"--bootstrap-token\", \"hunter2\"]\n",
		"a word of a shell's":     "  - exec x --password hunter2\n",
		"a key without a line":    "  ? token\n  : hunter2\n",
		"a value after a comment": "  token: # of the bot\n    hunter2\n",
	} {
		if is := Of("/etc/kubernetes/manifests/x.yaml", []byte("kind: Pod\nspec:\n"+args)); is != Opens {
			t.Errorf("%s: %d", name, is)
		}
	}
	for name, hidden := range map[string]string{
		"in the line of the mark":     "kind: Pod\n--- {kind: Secret, stringData: {x: hunter2}}\n",
		"after the end of a document": "kind: Pod\n...\n{kind: Secret, stringData: {x: hunter2}}\n",
	} {
		if is := Of("/etc/kubernetes/manifests/x.yaml", []byte(hidden)); is < Unknown {
			t.Errorf("a Secret %s: %d", name, is)
		}
	}
	if is := Of("/etc/kubernetes/manifests/x.yaml", []byte("--- # mine\nkind: Pod\n...\n---\nkind: Pod\n")); is != Open {
		t.Errorf("two pods: %d", is)
	}
}

// The look is bounded, and what is beyond is not called harmless; what people and kubeadm
// write is far from it.
func TestTheLookForSecretsIsBounded(t *testing.T) {
	bomb := strings.Repeat(in64(packed(t, zipped, strings.Repeat("a ", 2<<20))), 8)
	begun := time.Now()
	for name, content := range map[string]string{
		"gzip that unpacks to much": "kind: Pod\nx: " + bomb + "\n",
		"a key behind what is read of gzip": "kind: Pod\nx: " +
			in64(packed(t, zipped, strings.Repeat("; ", mostInflated/2+1)+"-----BEGIN RSA PRIVATE KEY-----")) + "\n",
		"more beginnings than are tried": "kind: Pod\nx: " + strings.Repeat("BZh ", mostPacked+1) + "\n",
		"escapes without end":            "kind: Pod\nx: \"" + strings.Repeat(`\\`, 1<<18) + "\"\n",
	} {
		if is := Of("/etc/kubernetes/manifests/x.yaml", []byte(content)); is < Unknown {
			t.Errorf("%s: %d", name, is)
		}
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	key, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(n)), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true,
			DNSNames: []string{"kubernetes.default.svc.cluster.local"}, CRLDistributionPoints: []string{"http://crl.example/kubernetes/authority"}}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		for name, content := range map[string]string{
			"a kubeconfig":          "kind: Config\nclusters:\n- cluster:\n    certificate-authority-data: " + in64(cert) + "\n",
			"certificates in JSON":  `{"kind":"Pod","metadata":{"annotations":{"x":"` + quoted(cert) + `"}}}`,
			"one in a literal":      "kind: Pod\nx: |\n  " + strings.ReplaceAll(cert, "\n", "\n  ") + "\n",
			"one in compressed one": "kind: Pod\nx: " + in64(packed(t, zipped, cert)) + "\n",
			"digests": "kind: Pod\nx: x@sha256:" + strings.Repeat("0123456789abcdef", 4) + "\n" +
				"y: /etc/kubernetes/pki/etcd/healthcheck/client/of/the/host\nz: '100%25 \\. [a-z]+\\d \\\\x'\n",
		} {
			if is := Of("/etc/kubernetes/manifests/x", []byte(content)); is != Open {
				t.Errorf("%s: %d", name, is)
			}
		}
	}
}

func BenchmarkOf(b *testing.B) {
	noise := make([]byte, 900)
	_, _ = rand.Read(noise)
	content := []byte("kind: Config\nclusters:\n- cluster:\n    certificate-authority-data: " +
		in64("-----BEGIN CERTIFICATE-----\n"+folded(noise, "")+"-----END CERTIFICATE-----\n") + "\n    server: https://192.0.2.1:6443\n")
	for b.Loop() {
		Of("/etc/kubernetes/kubelet.conf", content)
	}
}
