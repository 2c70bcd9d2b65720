// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What is beyond a bound is never taken for "it does not refer".
func TestATextWithMoreThanIsLookedAtSaysSo(t *testing.T) {
	id := Identify([]byte(thisCA))
	other := func(n int) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: fmt.Append(nil, "another ", n)}))
	}
	var bundle, most strings.Builder
	for n := range mostCertificates {
		if n < 150 {
			bundle.WriteString(other(n))
		}
		most.WriteString(other(n))
	}
	token := func(n int) string {
		return tokenOf(fmt.Sprintf(`{"iat":1,"n":%d,"kubernetes.io":{"namespace":"x","serviceaccount":{"name":"y"},"node":{"name":"z"}}}`, n)) + "\n"
	}
	var tokens strings.Builder
	for n := range mostFound {
		tokens.WriteString(token(n))
	}
	nested := func(times int) string {
		text := thisCA
		for range times {
			text = b64(text)
		}
		return text
	}
	const authority = "the cluster's certificate authority"
	const more = "not looked at: it has more certificates, keys or tokens than are read of a file"
	for name, tc := range map[string]struct{ text, want string }{
		"a distribution's bundle":               {bundle.String(), ""},
		"as many certificates as are looked at": {most.String(), ""},
		"one more":                              {most.String() + other(-1), more},
		"one more, after this cluster's":        {thisCA + most.String(), authority},
		"one more, before this cluster's":       {most.String() + thisCA, more},
		"as many tokens as are looked at":       {tokens.String(), ""},
		"one token more":                        {tokens.String() + token(-1), more},
		"encoded three times more than a PEM":   {nested(mostNested), authority},
		"encoded once more than is looked at":   {nested(mostNested + 1), more},
		"base64 of no certificate":              {b64(b64(b64(b64(b64(strings.Repeat("x", 100)))))), ""},
	} {
		if got := id.Refer([]byte(tc.text), "node", time.Time{}).String(); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	if n := len(Identify([]byte(most.String())).Authorities); n != mostFound {
		t.Errorf("a cluster has %d authorities", n)
	}
}
