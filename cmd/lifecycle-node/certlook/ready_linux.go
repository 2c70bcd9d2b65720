// SPDX-License-Identifier: Apache-2.0

package certlook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"path"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

const (
	readyLimit = 10 * time.Second
	usualDir   = "/etc/kubernetes/pki"
	mostOfPEM  = 1 << 20
)

// Ready asks the API server of this host whether it is ready: anonymously, and where it
// wants to know who asks, with the certificate by which it knows itself to kubelets. An
// answer that refuses to say is no yes.
func Ready(ctx context.Context, files Files, want certs.Layout) error {
	address := certs.Servers(files, want)["apiserver"]
	dir := want.Dir
	if dir == "" {
		dir = usualDir
	}
	err := ready(ctx, "https://"+address, files.path(dir))
	if err != nil {
		return fmt.Errorf("the API server at %s is not ready: %w", address, err)
	}
	return nil
}

// Kubelet says why the kubelet of this host does not answer; nil if it presents a certificate,
// which one that is stopped in the middle does not.
func Kubelet(ctx context.Context, files Files, want certs.Layout) error {
	address := certs.Servers(files, want)["kubelet-server"]
	if served := Dial(ctx, address); served.Why != "" {
		return fmt.Errorf("the kubelet at %s does not answer: %s", address, served.Why)
	}
	return nil
}

func ready(ctx context.Context, server, dir string) error {
	raw, err := host.ReadPlain(path.Join(dir, "ca.crt"), mostOfPEM)
	if err != nil {
		return err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !config.RootCAs.AppendCertsFromPEM(raw) {
		return errors.New("no certificate of the authority found")
	}
	status, err := readyz(ctx, server, config)
	if err != nil {
		return err
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		pair, err := tls.LoadX509KeyPair(path.Join(dir, "apiserver-kubelet-client.crt"), path.Join(dir, "apiserver-kubelet-client.key"))
		if err != nil {
			return fmt.Errorf("it does not say so to everyone, and there is no certificate to ask with: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
		if status, err = readyz(ctx, server, config); err != nil {
			return err
		}
	}
	if status != http.StatusOK {
		return fmt.Errorf("it answers %d %s", status, http.StatusText(status))
	}
	return nil
}

// readyz is the status with which a server answers whether it is ready.
func readyz(ctx context.Context, server string, config *tls.Config) (int, error) {
	client := &http.Client{Timeout: readyLimit, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/readyz", nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
