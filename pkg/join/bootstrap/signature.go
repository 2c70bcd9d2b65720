// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// signature is what the bootstrapsigner controller writes into cluster-info for
// a token, and what a host with the token computes for itself to compare: a
// JSON Web Signature with HS256 whose content is left out (RFC 7515, appendix F).
//
//	base64url({"alg":"HS256","kid":"<token id>"}) + ".." + base64url(HMAC-SHA256)
//
// Nothing that came from outside is parsed: the signature in cluster-info is
// compared with this one as a text, which is what Kubernetes 1.36 does, too
// (k8s.io/cluster-bootstrap/token/jws, whose JOSE library is not maintained any
// more and is not linked here).
func signature(content string, t Token) string {
	encode := base64.RawURLEncoding.EncodeToString
	// The id of a token is six of [a-z0-9]: it needs no escaping in JSON.
	header := encode([]byte(`{"alg":"HS256","kid":"` + t.ID + `"}`))
	mac := hmac.New(sha256.New, []byte(t.reveal()))
	mac.Write([]byte(header + "." + encode([]byte(content))))
	return header + ".." + encode(mac.Sum(nil))
}
