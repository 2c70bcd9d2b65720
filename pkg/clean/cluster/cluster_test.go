// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	thisCA  = "-----BEGIN CERTIFICATE-----\ndGhlIGNsdXN0ZXIncyBjZXJ0aWZpY2F0ZSBhdXRob3JpdHk=\n-----END CERTIFICATE-----\n"
	theirCA = "-----BEGIN CERTIFICATE-----\nYW5vdGhlciBjZXJ0aWZpY2F0ZSBhdXRob3JpdHk=\n-----END CERTIFICATE-----\n"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// tokenOf is a token with some claims.
func tokenOf(body string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"RS256","kid":"x"}`) + "." + part(body) + "." + part("signature")
}

func TestHowATextRefersToACluster(t *testing.T) {
	id := Identify([]byte(thisCA), []byte("    server: https://192.0.2.1:6443\n"),
		[]byte("server: https://api.example.com\nserver: https://127.0.0.1:6443\nserver: https://localhost:6443"))
	joined := time.Unix(1_700_000_000, 0)
	account := func(iat int64, node string) string {
		return tokenOf(fmt.Sprintf(`{"iat":%d,"kubernetes.io":{"namespace":"ns","serviceaccount":{"name":"sa"},"node":{"name":%q}}}`, iat, node))
	}
	const ca, of = "the cluster's certificate authority", "a token of ServiceAccount ns/sa"
	for _, tc := range []struct{ name, text, want string }{
		{"its CA as a file", thisCA, ca},
		{"its CA in a bundle", theirCA + "# this\n" + thisCA, ca},
		{"its CA in a kubeconfig", "certificate-authority-data: " + b64(thisCA), ca},
		{"its CA in a kubeconfig of JSON", `{"certificate-authority-data":"` + b64(thisCA) + `"}`, ca},
		{"its CA without the last line break", "certificate-authority-data: " + b64(strings.TrimSpace(thisCA)), ca},
		{"its CA indented in YAML", "ca: |\n    " + strings.ReplaceAll(thisCA, "\n", "\n    "), ca},
		{"its CA in a string of JSON", `{"ca":"` + strings.ReplaceAll(thisCA, "\n", `\n`) + `"}`, ca},
		{"a Secret with the kubeconfig", "value: " + b64("x: y\ncertificate-authority-data: "+b64(thisCA)), ca},
		{"another's CA", theirCA + b64(theirCA), ""},
		{"its endpoint as a URL", "server: https://192.0.2.1:6443/", "its endpoint 192.0.2.1:6443"},
		{"its endpoint in a proxy's configuration", "server cp1 192.0.2.1:6443 check", "its endpoint 192.0.2.1:6443"},
		{"its endpoint by name, with the port that https has", "api.example.com:443", "its endpoint api.example.com:443"},
		{"a longer port", "192.0.2.1:64430", ""},
		{"a longer address", "1192.0.2.1:6443", ""},
		{"a longer name", "my-api.example.com:443", ""},
		{"a loopback endpoint says nothing", "server: https://127.0.0.1:6443 https://localhost:6443", ""},
		{"a token of this node", account(1, "w1"), of},
		{"a token that was issued after the join", account(joined.Unix()+5, "elsewhere"), of},
		{"a token that is older, for another node", account(1, "elsewhere"), ""},
		{"the same beside the CA", "token: " + account(1, "elsewhere") + "\n" + thisCA, ca + ", " + of},
		{"a token of a Secret", tokenOf(`{"kubernetes.io/serviceaccount/namespace":"ns",`+
			`"kubernetes.io/serviceaccount/service-account.name":"sa"}`) + thisCA, ca + ", " + of},
		{"a token of a registry", tokenOf(`{"iat":1700000005,"sub":"me"}`), ""},
		{"no token", "eyJhbGciOi.eyJ.x eyJ", ""},
		{"nothing", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := id.Refer([]byte(tc.text), "w1", joined).String(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if got := (Identity{}).Refer([]byte(thisCA+"192.0.2.1:6443"), "", time.Time{}).String(); got != "" {
		t.Errorf("where no cluster is known, a text refers to %q", got)
	}
}

func FuzzRefer(f *testing.F) {
	id := Identify([]byte(thisCA), []byte("server: https://192.0.2.1:6443"))
	for _, seed := range []string{thisCA, b64(thisCA), b64(b64(thisCA)), "192.0.2.1:6443",
		tokenOf(`{"kubernetes.io":{"namespace":"\u001b[2J","serviceaccount":{"name":"x\ny"}}}`), strings.Repeat("A", 300), "eyJ.eyJ."} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		said := id.Refer(raw, "w1", time.Unix(1, 0)).String()
		if len(said) > 1024 || strings.ContainsAny(said, "\n\x1b\u202e") {
			t.Errorf("it says %q", said)
		}
		if len(Identify(raw, raw).Authorities) > mostFound || len(Identify(nil, raw).Endpoints) > mostFound {
			t.Error("more than its bounds")
		}
	})
}
