// SPDX-License-Identifier: Apache-2.0

package secrecy

import (
	"bytes"
	"crypto/x509"
	"path/filepath"
	"regexp"
	"strings"
)

// Level says what is secret about a file; the higher, the more.
type Level int

const (
	// Open files are known to be no secret.
	Open Level = iota
	// Guarded files hold a secret that does not open the cluster: credentials of a
	// registry, a password of a static pod.
	Guarded
	// Unknown files are of no form that is known: they may hold anything.
	Unknown
	// Opens is a file that opens the cluster, or what is kept in it: a private key, a
	// kubeconfig with credentials, a token, a key by which data was encrypted.
	Opens
)

// Of tells what is secret about a file. That it is none is told by what the file is,
// and by its name only where kubeadm writes a file of that name: a key can be written down in
// more forms than one can list.
func Of(path string, content []byte) Level {
	text := content
	if decoded := utf16Text(content); decoded != nil {
		text = decoded
	}
	looked := judgement{left: mostOfWithin}
	switch is := looked.told(text, 0); {
	case is == Opens || keyStore(path, content):
		return Opens
	case len(bytes.TrimSpace(text)) == 0:
		return Open
	case is == Unknown, !recognised(path, content, text):
		return Unknown
	case is == Guarded && kubeconfig(text):
		return Opens
	case is == Guarded || namedSecret(path):
		return Guarded
	}
	return Open
}

// The bounds of a look into what a text has in another writing: how deep, and how much in all,
// of which a short one counts as much as a page.
const (
	deepest      = 6
	mostOfWithin = 8 << 20
	page         = 4 << 10
)

// judgement is one look into a file: how much of it may still be read.
type judgement struct{ left int }

// told is what a text says itself that it holds, in whatever writing. What is deeper in it, or
// more, than is looked at is not known.
func (j *judgement) told(text []byte, depth int) Level {
	if j.left -= max(len(text), page); j.left < 0 {
		return Unknown
	}
	is := Open
	if sealed(text) {
		is = Unknown
	}
	switch {
	case privateKey(text):
		return Opens
	case readable(text):
		is = max(is, said(text))
	}
	for inner := range within(text) {
		switch {
		case is == Opens:
			return is
		case inner == nil:
			is = max(is, Unknown)
			continue
		}
		if depth == deepest {
			return max(is, Unknown)
		}
		is = max(is, j.told(inner, depth+1))
	}
	return is
}

// said is what the words of a text say that it holds.
func said(text []byte) Level {
	const opens = `client-key-data|(?:[\w-]*[_-])?token|password|certificate-?key`
	const guarded = `[\w-]*(?:secret|passwd|password|passphrase|[_-]pass|[_-]pwd|_psk)|auth|identitytoken|registrytoken|secretkey|` +
		`secretaccesskey|secret_access_key|aws_secret_access_key|accesskey|access_key|passphrase|privatekey|private_key|apikey|` +
		`api_key|clientsecret|client[_-]secret|credentials?`
	word := regexp.MustCompile(`(?i)token|pass|key|secret|auth|psk|pwd|credential|eyJ|[a-z0-9]{6}\.[a-z0-9]{16}|://[^/\s]*@`)
	switch {
	case !word.Match(text):
	case says(text, opens), follows(text, opens), bearer(text), encryptionKey(text):
		return Opens
	case says(text, guarded), follows(text, guarded), inEnvironment(text), inAddress(text):
		return Guarded
	}
	return Open
}

// encryptionKey reports whether there is a key by which an API server encrypts what it keeps
// (EncryptionConfiguration).
func encryptionKey(text []byte) bool {
	return regexp.MustCompile(`(?i)\b(aescbc|aesgcm|secretbox)\b`).Match(text) && says(text, "secret")
}

// privateKey reports whether there is a private key: in PEM (of OpenSSL's kinds, of
// OpenSSH, of PGP), of age, or in DER.
func privateKey(content []byte) bool {
	for rest := content; ; { // a string may be folded between the two
		at := bytes.Index(rest, []byte("PRIVATE"))
		if at < 0 {
			break
		}
		if rest = rest[at+len("PRIVATE"):]; bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("KEY")) {
			return true
		}
	}
	for _, mark := range []string{
		"AGE-SECRET-KEY-",
		"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04", // PKCS#8: version 0, RSA, an octet string
		"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01",                     // PKCS#8: version 0, of an elliptic curve
		"\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04",                                 // PKCS#8: version 0, Ed25519
		"\x02\x01\x00\x02\x82", "\x02\x01\x00\x02\x81", // PKCS#1: version 0, a modulus
		"\x02\x01\x01\x04\x20", "\x02\x01\x01\x04\x30", "\x02\x01\x01\x04\x42", // SEC 1: version 1, a scalar of P-256, 384, 521
		"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d",     // encrypted by PBES2
		"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01", // a bag of PKCS#12's
	} {
		if bytes.Contains(content, []byte(mark)) {
			return true
		}
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
	return regexp.MustCompile(`(?im)(?:^|[\s{,\[?"'])(?:--)?["']?(?:` + keys +
		`)["']?[ \t]*(?:\r?\n[ \t]*:|[:=])\s*(?:#.*\s+)*(?:[|>][+-]?[ \t]*\r?\n[ \t]*)?\[?[ \t]*["']?[^\s"'#{}\[\],]`).Match(text)
}

// follows reports whether an argument is the value of a flag of some names, which is the one
// before it.
func follows(text []byte, flags string) bool {
	return regexp.MustCompile(`(?i)--(?:` + flags + `)["']?(?:[ \t]+|\s*,\s*|[ \t]*\r?\n[ \t]*-[ \t]+)["']?[^\s"'-]`).Match(text)
}

// bearer reports whether there is a token by its form: a signed one, one for a bootstrap, or
// what a request is authorized by.
func bearer(text []byte) bool {
	return regexp.MustCompile(`(?i)\bauthorization["']?[ \t]*[:=]?[ \t]*["']?(?:basic|bearer)[ \t]+[^\s"'$]`).Match(text) ||
		regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.`).Match(text) ||
		regexp.MustCompile(`(?:^|[^a-z0-9.])[a-z0-9]{6}\.[a-z0-9]{16}(?:$|[^a-z0-9.])`).Match(text)
}

// inEnvironment reports whether a variable of a container has a value and the name of a
// secret.
func inEnvironment(text []byte) bool {
	return regexp.MustCompile(`(?i)["']?name["']?:\s*["']?\w*(?:pass|pwd|psk|secret|token|access_?key|api_?key)\w*["']?` +
		`\s*[,\n]\s*["']?value["']?:\s*["']?[^\s"']`).Match(text)
}

// inAddress reports whether an address has a password in it.
func inAddress(text []byte) bool {
	return regexp.MustCompile(`://[^/\s:@"']*:[^/\s@"']+@`).Match(text)
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
