// SPDX-License-Identifier: Apache-2.0

package certlook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// dialLimit bounds the wait for a server of this host.
const dialLimit = 3 * time.Second

// Answer looks at this host, and answers the question of a delivery.
func Answer(ctx context.Context, spec wire.Spec) (json.RawMessage, error) {
	var want certs.Layout
	if err := json.Unmarshal(spec.Task, &want); err != nil {
		return nil, fmt.Errorf("decode the question: %w", err)
	}
	look := Read(ctx, Files{}, want)
	look.Node = spec.Node
	if want.ControlPlane {
		addEtcd(ctx, &look)
		if err := Ready(ctx, Files{}, want); err != nil {
			look.APITrouble = err.Error()
		}
		look.Renewing = Renewing(ctx)
	}
	return json.Marshal(look)
}

// Renewing reports whether a renewal is at work on this host: its unit runs.
func Renewing(ctx context.Context) bool {
	unit, err := host.Local{}.Unit(ctx, certs.RenewalUnit)
	return err == nil && unit.Running()
}

// addEtcd says how the members of etcd are, where this host runs one.
func addEtcd(ctx context.Context, look *certs.Look) {
	view, err := clean.Target{}.Etcd(ctx)
	if err == nil && view != nil {
		look.Etcd, err = json.Marshal(view)
	}
	if err != nil {
		look.EtcdTrouble = err.Error()
	}
}

// Read reads the certificates of a host, and what its servers use.
func Read(ctx context.Context, files Files, want certs.Layout) certs.Look {
	look := certs.Read(files, want)
	servers := certs.Servers(files, want)
	var wait sync.WaitGroup
	for i := range look.Rows {
		row := &look.Rows[i]
		address, serves := servers[row.Name]
		if row.Certificate != nil && serves {
			wait.Go(func() { row.Served = Dial(ctx, address) })
		}
	}
	if want.ControlPlane {
		addPrograms(ctx, files, &look)
	}
	wait.Wait()
	return look
}

// Dial reads the certificate that a server presents. Nothing is sent to it.
func Dial(ctx context.Context, address string) *certs.Served {
	served := &certs.Served{At: address}
	c, err := presented(ctx, address)
	if err != nil {
		served.Why = err.Error()
		return served
	}
	d := certs.Describe(c)
	served.Certificate = &d
	return served
}

// presented opens a connection that trusts no authority: whatever is presented is in the
// error, and the connection ends there.
func presented(ctx context.Context, address string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := tls.Dialer{Config: &tls.Config{RootCAs: x509.NewCertPool(), ServerName: host, MinVersion: tls.VersionTLS12}}
	conn, err := d.DialContext(ctx, "tcp", address)
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unverified) && len(unverified.UnverifiedCertificates) > 0:
		return unverified.UnverifiedCertificates[0], nil
	case err != nil:
		return nil, err
	}
	return nil, errors.Join(errors.New("it presents no certificate"), conn.Close())
}
