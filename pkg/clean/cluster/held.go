// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"
)

// certificates are the hashes of the certificates in a PEM text, and whether there are
// more than are looked at.
func certificates(raw []byte) (out []string, more bool) {
	for len(raw) > 0 {
		block, rest := pem.Decode(raw)
		if block == nil {
			break
		}
		if len(out) == mostCertificates {
			return out, true
		}
		if block.Type == "CERTIFICATE" {
			sum := sha256.Sum256(block.Bytes)
			out = append(out, hex.EncodeToString(sum[:]))
		}
		raw = rest
	}
	return out, false
}

// The bounds of what is looked at in one text. A distribution's bundle of authorities has
// 150 certificates, and their hashes are cheap.
const (
	mostFound        = 64
	mostCertificates = 4096
)

// holds finds what is in a text of this cluster alone: one of its CA certificates or private
// keys, as PEM, as PEM in a JSON string, or in base64, or the hash of a public key; and
// whether there was more than is looked at.
func (id Identity) holds(raw []byte, depth int) (r Reference) {
	if len(id.Authorities)+len(id.Keys) == 0 {
		return r
	}
	r.pinned = slices.ContainsFunc(id.Keys, func(sum string) bool { return bytes.Contains(raw, []byte(pin+sum)) })
	if bytes.Contains(raw, []byte("-----BEGIN ")) {
		if depth > mostNested {
			return Reference{cut: true}
		}
		plain := plainPEM(raw)
		sums, more := certificates(plain)
		keys, moreKeys := privateKeys(plain)
		r.Authority, r.key, r.cut = anyIn(sums, id.Authorities), anyIn(keys, id.Keys), more || moreKeys
	}
	if depth > mostNested || r.Authority || r.key {
		return r
	}
	for run := range base64Runs(raw) {
		inner := make([]byte, base64.StdEncoding.DecodedLen(len(run)))
		n, err := base64.StdEncoding.Decode(inner, run)
		if err != nil {
			continue
		}
		within := id.holds(inner[:n], depth+1)
		r.Authority, r.key = r.Authority || within.Authority, r.key || within.key
		r.pinned, r.cut = r.pinned || within.pinned, r.cut || within.cut
	}
	return r
}

// anyIn reports whether one of some hashes is among others.
func anyIn(sums, all []string) bool {
	return slices.ContainsFunc(sums, func(sum string) bool { return slices.Contains(all, sum) })
}
