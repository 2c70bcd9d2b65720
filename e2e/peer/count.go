// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package peer

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"k8s.io/client-go/rest"
)

// Counter stands between programs and an API server, and counts.
type Counter struct {
	server            *httptest.Server
	requests, refused atomic.Int64
}

// Count starts one for the API server of a config, with its credentials, and
// writes a kubeconfig that leads to it.
func Count(config *rest.Config, kubeconfig string) (*Counter, error) {
	transport, err := rest.TransportFor(rest.CopyConfig(config))
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	c := &Counter{}
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport, FlushInterval: -1,
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusTooManyRequests && strings.HasSuffix(r.Request.URL.Path, "/eviction") {
				c.refused.Add(1)
			}
			return nil
		},
	}
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		reverse.ServeHTTP(w, r)
	}))
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x, clusters: [{name: x, cluster: {server: %q}}],
contexts: [{name: x, context: {cluster: x}}]}`, c.server.URL)
	return c, os.WriteFile(kubeconfig, []byte(text), 0o600)
}

// Close ends it.
func (c *Counter) Close() { c.server.CloseClientConnections(); c.server.Close() }

// Take returns how many requests there were since it was last asked, and how
// many evictions among them were refused by a budget.
func (c *Counter) Take() (requests, refused int) {
	return int(c.requests.Swap(0)), int(c.refused.Swap(0))
}
