// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"bytes"
	"crypto/x509"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// secrecy says what is secret about a file.
type secrecy int

const (
	// open files are no secret.
	open secrecy = iota
	// guarded files hold a secret that does not open the cluster: credentials of a
	// registry, keys by which data was encrypted.
	guarded
	// opens is a file that opens the cluster, or may: a private key, a kubeconfig with
	// credentials, a token.
	opens
)

// secrecyOf tells what is secret about a file from what it is, and from its name only
// where its content says nothing. In doubt it is a secret.
func secrecyOf(path string, content []byte) secrecy {
	text := content
	if decoded := utf16Text(content); decoded != nil {
		text = decoded
	}
	switch {
	case privateKey(text), keyStore(path, content), says(text,
		`client-key-data|token|id-token|refresh-token|access-token|password`), bearer(text):
		return opens
	case says(text, `secret|auth|identitytoken|registrytoken|secretkey|secretaccesskey|secret_access_key|`+
		`aws_secret_access_key|accesskey|access_key|passphrase|privatekey|private_key|apikey|`+
		`api_key|clientsecret|client_secret|credentials?`),
		inEnvironment(text), namedSecret(path):
		return guarded
	}
	return open
}

// privateKey reports whether there is a private key: in PEM (of OpenSSL's kinds, of
// OpenSSH, of PGP), of age, or in DER.
func privateKey(content []byte) bool {
	if bytes.Contains(content, []byte("PRIVATE KEY")) || bytes.Contains(content, []byte("AGE-SECRET-KEY-")) {
		return true
	}
	if len(content) == 0 || content[0] != 0x30 { // a SEQUENCE
		return false
	}
	_, err := x509.ParsePKCS8PrivateKey(content)
	_, err2 := x509.ParsePKCS1PrivateKey(content)
	_, err3 := x509.ParseECPrivateKey(content)
	encrypted := bytes.Contains(content[:min(len(content), 64)], []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
		0x05}) // PKCS#5, of encrypted PKCS#8
	return err == nil || err2 == nil || err3 == nil || encrypted
}

// keyStore reports whether a file is one of keys by its name, unless it is a certificate
// or a public key by its content.
func keyStore(path string, content []byte) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".p12", ".pfx", ".jks", ".p8", ".pk8", ".kdbx", ".keytab":
		return true
	case ".key":
		return len(content) > 0 && !bytes.Contains(content, []byte("-----BEGIN CERTIFICATE")) &&
			!bytes.Contains(content, []byte("-----BEGIN PUBLIC KEY"))
	}
	return false
}

// says reports whether a text in YAML, JSON or as settings has a value for one of some
// keys; their case does not matter.
func says(text []byte, keys string) bool {
	return regexp.MustCompile(`(?im)(?:^|[\s{,\[?])["']?(?:` + keys +
		`)["']?[ \t]*[:=][ \t\r\n]*(?:[|>][+-]?[ \t]*\r?\n[ \t]*)?["']?[^\s"'#{}\[\],]`).Match(text)
}

// bearer reports whether there is a token by its form: a signed one, or one for a
// bootstrap.
func bearer(text []byte) bool {
	return regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.`).Match(text) ||
		regexp.MustCompile(`(?:^|[^a-z0-9.])[a-z0-9]{6}\.[a-z0-9]{16}(?:$|[^a-z0-9.])`).Match(text)
}

// inEnvironment reports whether a variable of a container has a value and the name of a
// secret.
func inEnvironment(text []byte) bool {
	return regexp.MustCompile(`(?i)["']?name["']?:\s*["']?\w*(?:password|passwd|secret|token|access_?key|api_?key)\w*["']?` +
		`\s*[,\n]\s*["']?value["']?:\s*["']?[^\s"']`).Match(text)
}

// namedSecret reports whether a file is said to be secret by its name.
func namedSecret(path string) bool {
	return regexp.MustCompile(`(?i)(^|[^a-z])(tokens?|passwords?|passwd|htpasswd|secrets?|credentials?)([^a-z]|$)`).
		MatchString(filepath.Base(path))
}

// utf16Text is a text in UTF-16 without its zeros, as far as it is in ASCII; nil for
// another.
func utf16Text(content []byte) []byte {
	if !bytes.HasPrefix(content, []byte{0xff, 0xfe}) && !bytes.HasPrefix(content, []byte{0xfe, 0xff}) {
		return nil
	}
	return bytes.ReplaceAll(content[2:], []byte{0}, nil)
}

// leftOut says why a file is not backed up; empty if it is.
func leftOut(c inventory.Choices, path string, content []byte) string {
	if c.BackupKeys {
		return ""
	}
	switch is := secrecyOf(path, content); {
	case is == opens:
		return "it holds a key or credentials of the cluster"
	case is == guarded && c.NoKeys:
		return "it holds a secret"
	}
	return ""
}
