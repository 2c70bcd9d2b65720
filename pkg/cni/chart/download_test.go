// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// endless answers with as many bytes as are read.
func endless(w http.ResponseWriter, _ *http.Request) {
	block := make([]byte, 1<<20)
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func TestARedirectLeadsNowhereWorse(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		says     string
	}{
		"https to https elsewhere":                      {"https://me:hush@a/c.tgz", "https://b/c.tgz", ""},
		"https to http on the same host, with the name": {"https://me:hush@a/c.tgz", "http://a/c.tgz", "from https to http://a/c.tgz"},
		"https to this machine":                         {"https://a/c.tgz", "http://127.0.0.1/c.tgz", "from https to"},
		"this machine to itself":                        {"http://localhost:1/c.tgz", "http://[::1]:2/c.tgz", ""},
		"this machine to another in the open":           {"http://localhost:1/c.tgz", "http://me:hush@b/c.tgz", "is not https"},
		"to a file":                                     {"http://localhost:1/c.tgz", "file:///etc/passwd", "is not https"},
	} {
		t.Run(name, func(t *testing.T) {
			err := follow(ask(t, c.to), []*http.Request{ask(t, c.from)})
			if (err == nil) != (c.says == "") || (err != nil && !strings.Contains(err.Error(), c.says)) ||
				strings.Contains(fmt.Sprint(err), "hush") {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

func ask(t *testing.T, address string) *http.Request {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Request{URL: u}
}

func TestARegistryHasASizeAndATrustedWay(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(endless))
	t.Cleanup(server.Close)
	left := new(atomic.Int64)
	left.Store(3 << 20)
	client := &http.Client{Transport: bound{context.Background(), http.DefaultTransport, left}}
	response, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	read, err := io.Copy(io.Discard, response.Body)
	if !errors.Is(err, errTooLarge) || read > 3<<20 {
		t.Errorf("read %d bytes: %v", read, err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	if again, err := client.Get(server.URL); !errors.Is(err, errTooLarge) {
		t.Errorf("a second answer: %v, %v", again, err)
	}
	left.Store(1)
	if _, err := client.Get("http://192.0.2.1/token"); err == nil || !strings.Contains(err.Error(), "is not https") {
		t.Errorf("a token was asked for in the open: %v", err)
	}
}

func TestNeedsVersionWhereThereMayBeMany(t *testing.T) {
	for ref, want := range map[string]bool{
		"https://h/charts": true, "https://h/c.tgz": false, "https://h/c.tgz?x=1": false, "./c": false, "/c.tgz": false,
		"oci://h:5000/c/flannel": true, "oci://h:5000/c/flannel:v1": false, "oci://h/flannel@sha256:00": false,
	} {
		if got := (Source{Chart: ref}).NeedsVersion(); got != want {
			t.Errorf("%s: %v", ref, got)
		}
	}
}
