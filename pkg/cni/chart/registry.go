// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Puller pulls the archive of a chart from an OCI registry: all its requests go
// through the client, which bounds them. Without TLS it is a registry on this
// machine.
type Puller func(client *http.Client, withoutTLS bool, ref string) ([]byte, error)

// fromRegistry has a chart pulled from an OCI registry.
func fromRegistry(ctx context.Context, source Source, pull Puller) ([]byte, error) {
	ref := strings.TrimPrefix(source.Chart, registryScheme)
	if source.NeedsVersion() {
		// A "+" is not allowed in a tag, so Helm pushes "_" for it.
		ref += ":" + strings.ReplaceAll(source.Version, "+", "_")
	}
	left := new(atomic.Int64)
	left.Store(maxChart)
	client := &http.Client{Transport: bound{ctx, transport(source.Roots), left}, CheckRedirect: follow}
	host, _, _ := strings.Cut(ref, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	// As Docker does: a registry on this machine has no certificate, unless its
	// authority is named.
	data, err := pull(client, source.Roots == nil && loopback(strings.Trim(host, "[]")), ref)
	if err != nil {
		return nil, plan.Refuse(fmt.Errorf("%w: pull %s%s: %w", errNoChart, registryScheme, ref, cause(err)),
			"check --chart and --version; a private registry wants: helm registry login %s; %s", text.Quote(host), bringHint)
	}
	return data, nil
}
