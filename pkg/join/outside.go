// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/cluster-bootstrap/token/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/watch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// lookTimeout is for one request as a stranger.
	lookTimeout = 5 * time.Second
	// tokenTimeout is how long an API server may take to know a token: it reads
	// Secrets by a watch of its own.
	tokenTimeout = 10 * time.Second
	tokenPause   = 250 * time.Millisecond
	// maxAnswer bounds what is read of an answer that is not looked at.
	maxAnswer = 1 << 20
)

// Outside is what a host that has joined nothing yet is answered by the API
// server. It is asked over the way that the kubeconfig names, without its
// credentials: rights that are granted on paper are no answer. The zero Outside
// has seen nothing.
type Outside struct {
	config *rest.Config
	// code is the status of the answer; 0 if there was none.
	code int
	// chain is what the server has shown, its own certificate first.
	chain []*x509.Certificate
	// patience is how long a token is tried.
	patience time.Duration
}

// LookFromOutside reads cluster-info as a stranger. What cannot be asked is no
// error: then nothing was seen. A kubeconfig whose address has a path leads to a
// proxy for several clusters, which answers for itself; it is not asked.
func LookFromOutside(ctx context.Context, config *rest.Config) Outside {
	o := Outside{config: config, patience: tokenTimeout}
	answer, err := o.get(ctx, "", metav1.NamespacePublic, api.ConfigMapClusterInfo)
	if err != nil {
		return Outside{}
	}
	o.code = answer.StatusCode
	if answer.TLS != nil {
		o.chain = answer.TLS.PeerCertificates
	}
	return o
}

// get reads a ConfigMap with a token, or without, and drops what it holds.
func (o Outside) get(ctx context.Context, token, namespace, name string) (*http.Response, error) {
	if o.config == nil {
		return nil, fmt.Errorf("get configmap %s/%s: there is no way to the API server", namespace, name)
	}
	config := rest.AnonymousClientConfig(o.config)
	config.BearerToken = token
	config.Timeout = lookTimeout
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("read the address of the API server: %w", err)
	}
	if strings.Trim(base.Path, "/") != "" || base.Scheme != "https" {
		return nil, fmt.Errorf("get configmap %s/%s: the address is that of a proxy", namespace, name)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	// A redirect leads elsewhere, where a token has no business.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	address := base.JoinPath("api", "v1", "namespaces", namespace, "configmaps", name)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("get configmap %s/%s: %w", namespace, name, err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("get configmap %s/%s: %w", namespace, name, err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	return answer, answer.Body.Close()
}

// Compare adds to a cluster's warnings what the look from outside has shown.
func (c *Cluster) Compare(o Outside, now time.Time) {
	t := trust{info: authorities(c.CA), roots: authorities(c.ClusterCA), chain: o.chain, endpoint: c.Endpoint, now: now}
	// What Survey has found without a look comes again, with the proof.
	c.Warnings = slices.DeleteFunc(c.Warnings, func(w check.Warning) bool { return w.Hint == infoHint })
	c.Warnings = append(c.Warnings, t.warnings()...)
	if w, ok := check.StrangerWarning(o.code); ok && !slices.ContainsFunc(c.Warnings,
		func(other check.Warning) bool { return other.Hint == w.Hint }) {
		c.Warnings = append(c.Warnings, w)
	}
}

// TryToken reads with a token what a host reads first, so that a command is
// shown only when its token is accepted. It waits ten seconds for an API server
// that does not know the token yet. Where nothing was seen from outside, nothing
// is tried: something on the way may ask for other credentials. A token that is
// not accepted is an error with the way out; a token made here is useless
// then, and the caller revokes it.
func (o Outside) TryToken(ctx context.Context, t bootstrap.Token) error {
	if o.code != http.StatusOK {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	tick := time.NewTicker(tokenPause)
	defer tick.Stop()
	refused := false
	for {
		answer, err := o.get(limited, t.Whole(), metav1.NamespaceSystem, configMapName)
		if err == nil && answer.StatusCode != http.StatusUnauthorized {
			return nil
		}
		refused = refused || err == nil
		select {
		case <-tick.C:
		case <-limited.Done():
			if ctx.Err() != nil {
				return watch.Ended(ctx, "the API server to accept token "+t.ID, "run the same command again")
			}
			if !refused {
				return nil // no answer is no judgement of the token
			}
			return plan.Hint(fmt.Errorf("the API server does not accept bootstrap token %s (401)", t.ID), "%s", check.TokensHint)
		}
	}
}
