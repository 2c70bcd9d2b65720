// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Sizes that no chart or index of a repository comes near: a release, chart
// included, has to fit a Secret of 1 MiB. What an archive unpacks to is bounded
// by Helm (100 MiB in all, 5 MiB a file, since 3.14.2).
const (
	maxChart = 16 << 20
	maxIndex = 32 << 20
	// answerTimeout is for the first byte of an answer.
	answerTimeout = 30 * time.Second
	// maxRedirects is that of Go's own client.
	maxRedirects = 10
)

// trusted refuses a way on which the chart could be replaced: plain http,
// but for a server on this machine.
func trusted(u *url.URL) error {
	if u.Scheme == "https" || (u.Scheme == "http" && loopback(u.Hostname())) {
		return nil
	}
	return plan.Refuse(fmt.Errorf("%s is not https: the chart could be replaced on its way", u.Redacted()),
		"use https; %s", bringHint)
}

// loopback says whether a host is this machine, by what it is called alone.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.Unmap().IsLoopback())
}

// follow allows a redirect that leads nowhere worse: https stays https, and what
// began on this machine in the open does not leave it so. Go's client sends a
// name and password on to the same host whatever the way, so that a step from
// https to http would show them.
func follow(next *http.Request, before []*http.Request) error {
	if len(before) >= maxRedirects {
		return plan.Refuse(fmt.Errorf("the server redirects more than %d times", maxRedirects), "check --chart")
	}
	if before[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return plan.Refuse(fmt.Errorf("the server redirects from https to %s", next.URL.Redacted()), "use another address; %s", bringHint)
	}
	return trusted(next.URL)
}

// download reads a URL, no more than a number of bytes; a name and password in it
// are used, and not shown.
func download(ctx context.Context, address string, most int64, roots *x509.CertPool) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, plan.As(plan.Misused, fmt.Errorf("read URL: %w", err))
	}
	if err := trusted(u); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, plan.As(plan.Misused, fmt.Errorf("read URL %s: %w", u.Redacted(), err))
	}
	response, err := (&http.Client{Transport: transport(roots), CheckRedirect: follow}).Do(request)
	if plan.HintOf(err) != "" {
		return nil, plan.As(plan.Refused, fmt.Errorf("get %s: %w", u.Redacted(), cause(err)))
	}
	if err != nil {
		return nil, plan.Refuse(fmt.Errorf("%w: get %s: %w", errNoChart, u.Redacted(), cause(err)), bringHint)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	if response.StatusCode != http.StatusOK {
		return nil, plan.Refuse(fmt.Errorf("%w: get %s: the server says %s", errNoChart, u.Redacted(), response.Status),
			"check --chart and --version; %s", bringHint)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err != nil {
		return nil, plan.Refuse(fmt.Errorf("get %s: %w", u.Redacted(), err), "try again; %s", bringHint)
	}
	if int64(len(data)) > most {
		return nil, plan.Refuse(fmt.Errorf("get %s: more than %d MiB", u.Redacted(), most>>20), "check --chart: that is not a chart")
	}
	return data, nil
}

// cause takes the URL out of an error of http: it is said already, and there
// without a password in it.
func cause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// transport is Go's own (proxies of the environment included), for a server
// that does not answer.
func transport(roots *x509.CertPool) *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	t.DialContext = (&net.Dialer{Timeout: answerTimeout}).DialContext
	t.TLSHandshakeTimeout = answerTimeout
	t.ResponseHeaderTimeout = answerTimeout
	t.DisableKeepAlives = true
	if roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return t
}

// redacted is an address or a path without a password.
func redacted(chart string) string {
	if u, err := url.Parse(chart); err == nil && isURL(chart) {
		return u.Redacted()
	}
	return chart
}

// bound keeps a library that knows neither context nor sizes within both: its
// requests end with the context, and all their answers together have a size.
type bound struct {
	ctx  context.Context //nolint:containedctx // Helm's registry client takes none
	next http.RoundTripper
	// left is how many bytes of answers may still be read.
	left *atomic.Int64
}

var errTooLarge = errors.New("the answers are larger than any chart")

// RoundTrip sends a request that ends with the context, if its way is trusted:
// a registry can name another server to ask for a token.
func (b bound) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := trusted(request.URL); err != nil {
		return nil, err
	}
	if b.left.Load() <= 0 {
		return nil, errTooLarge
	}
	response, err := b.next.RoundTrip(request.WithContext(b.ctx))
	if err != nil {
		return nil, err
	}
	response.Body = metered{response.Body, b.left}
	return response, nil
}

// metered is a body that counts against what is left.
type metered struct {
	io.ReadCloser
	left *atomic.Int64
}

// Read reads what is left at most.
func (m metered) Read(into []byte) (int, error) {
	n, err := m.ReadCloser.Read(into)
	if m.left.Add(-int64(n)) < 0 {
		return 0, errTooLarge
	}
	return n, err
}
