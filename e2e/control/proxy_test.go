// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// proxy stands between a program and the API server, and fails when told to.
type proxy struct {
	kubeconfig string

	mu   sync.Mutex
	fail map[string]bool // by the end of the path
}

// proxy starts one; it ends with the test.
func (p *plane) proxy(t *testing.T) *proxy {
	t.Helper()
	transport, err := rest.TransportFor(rest.CopyConfig(p.config))
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(p.config.Host)
	if err != nil {
		t.Fatal(err)
	}
	x := &proxy{fail: map[string]bool{}, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	reverse := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // a watch is a stream
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x.fails(r.URL.Path) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"etcdserver: request timed out","code":500}`)
			return
		}
		reverse.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	config := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x, clusters: [{name: x, cluster: {server: %q}}],
contexts: [{name: x, context: {cluster: x}}]}`, server.URL)
	if err := os.WriteFile(x.kubeconfig, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return x
}

// failNext answers the next request for a path that ends so with 500.
func (x *proxy) failNext(end string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fail[end] = true
}

func (x *proxy) fails(path string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for end := range x.fail {
		if strings.HasSuffix(path, end) {
			delete(x.fail, end)
			return true
		}
	}
	return false
}
