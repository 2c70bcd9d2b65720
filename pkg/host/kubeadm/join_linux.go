// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// joinLimit bounds "kubeadm join", which itself waits five minutes for the
// kubelet's first certificate.
const joinLimit = 7 * time.Minute

// Join is how this machine joins a cluster.
type Join struct {
	Host host.Local
	// Endpoint is HOST:PORT of its API server, CA the PEM bundle of those that
	// signed its certificate, Pins their public keys as kubeadm wants them.
	Endpoint, CA string
	Pins         []string
	// Token is a bootstrap token; it is written to File only, with mode 0600.
	Token, File string
	// CertificateKey makes it a control plane: 64 hexadecimal digits, which open secret
	// kubeadm-certs; it is written to File only. Empty for a worker.
	CertificateKey string
	// Node is the name that the machine takes there.
	Node string
	// CRISocket is a path; empty leaves it to kubeadm.
	CRISocket string
	// Version is the control plane's; empty if it is not known.
	Version string
	// IgnorePreflightErrors are names of kubeadm's checks.
	IgnorePreflightErrors []string
}

// Check looks, without changing anything, whether the machine could join: its
// kubeadm and kubelet fit, and from here, over a new connection, the API server
// answers, is the one that the CA vouches for, and takes the token. Without a
// token, any answer will do.
func (j Join) Check(ctx context.Context) error {
	versions, err := j.versions(ctx)
	if err != nil {
		return plan.Refuse(err, "install kubeadm and kubelet on the host, then run the command again")
	}
	if err := versions.Fit(j.Version); err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(j.CA)) {
		return errors.New("no certificate of the cluster's CA was given")
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	// Every bootstrap token may read this, and kubeadm join begins with it.
	url := "https://" + j.Endpoint + "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	if j.Token != "" {
		request.Header.Set("Authorization", "Bearer "+j.Token)
	}
	response, err := client.Do(request)
	if err != nil {
		return plan.Refuse(fmt.Errorf("from this host, the API server at %s does not answer: %w", j.Endpoint, err),
			"open the way there (routes, firewalls, names), then run the command again")
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK && j.Token != "" {
		return plan.Refuse(fmt.Errorf("the API server at %s answers %s to the bootstrap token", j.Endpoint, response.Status),
			"have what hosts may do made again, on a control plane there: kubeadm init phase bootstrap-token")
	}
	return nil
}

// versions asks the two programs.
func (j Join) versions(ctx context.Context) (v Versions, err error) {
	adm, err := j.Host.Run(ctx, host.Command{Name: "kubeadm", Args: []string{"version", "-o", "short"}})
	if err != nil {
		return v, err
	}
	let, err := j.Host.Run(ctx, host.Command{Name: "kubelet", Args: []string{"--version"}})
	find := regexp.MustCompile(`v\d+\.\d+\.\S+`)
	return Versions{Kubeadm: find.FindString(adm), Kubelet: find.FindString(let)}, err
}

// Do has kubeadm join the machine. The token is in a file for as long as that
// takes, and in no argument.
func (j Join) Do(ctx context.Context) error {
	versions, err := j.versions(ctx)
	if err != nil {
		return err
	}
	config, err := j.configuration(versions.Kubeadm)
	if err != nil {
		return err
	}
	path := j.Host.Path(j.File)
	defer func() { _ = os.Remove(path) }() // and the run's directory goes as a whole
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return err
	}
	_, err = j.Host.Run(ctx, host.Command{Name: "kubeadm", Args: []string{"join", "--config", j.File}, Timeout: joinLimit})
	var failed *host.CommandError
	if errors.As(err, &failed) {
		said := fmt.Errorf("kubeadm join: %w: %s", failed.Err, telling(failed.Output))
		if checks, refused := preflight(failed.Output); refused && strings.Contains(failed.Output, severalRuntimes) {
			return plan.Refuse(said, "kubeadm has changed nothing: name the one to use: --cri-socket unix://PATH; or stop the other")
		} else if refused {
			return plan.Refuse(said, "%s", wayPast(checks))
		}
		return withKubelet(ctx, j.Host, said, failed.Output)
	}
	return err
}

// preflight reports whether kubeadm has ended with its checks, before it changed
// anything, and by which of them (cmd/kubeadm/app/preflight/checks.go, 1.36: "[ERROR
// Port-10250]: …").
func preflight(output string) (checks []string, refused bool) {
	if strings.Contains(output, "[kubelet-start]") {
		return nil, false
	}
	if strings.Contains(output, severalRuntimes) {
		return nil, true
	}
	for _, found := range regexp.MustCompile(`\[ERROR ([A-Za-z0-9._-]{1,128})\]`).FindAllStringSubmatch(output, mostChecks) {
		if !slices.Contains(checks, found[1]) {
			checks = append(checks, found[1])
		}
	}
	return checks, len(checks) > 0 || strings.Contains(output, "error execution phase preflight")
}

// severalRuntimes begins what kubeadm says before any check, where it is to choose (1.36,
// cmd/kubeadm/app/util/runtime).
const severalRuntimes = "Found multiple CRI endpoints on the host"

// mostChecks bounds how many of kubeadm's checks are named.
const mostChecks = 16

// wayPast is the way out of a refusal of kubeadm's.
func wayPast(checks []string) string {
	const mend = "kubeadm has changed nothing: mend that on the host, and run the command again"
	if len(checks) == 0 {
		return mend
	}
	return mend + "; or let it pass: --ignore-preflight-errors " + strings.Join(checks, ",")
}

// configuration is kubeadm's JoinConfiguration; JSON is YAML.
func (j Join) configuration(kubeadm string) ([]byte, error) {
	n, err := minor(kubeadm)
	if err != nil {
		return nil, err
	}
	version := "kubeadm.k8s.io/v1beta4"
	if n < 31 { // v1beta4 came with 1.31
		version = "kubeadm.k8s.io/v1beta3"
	}
	node := map[string]any{"name": j.Node}
	if j.CRISocket != "" {
		node["criSocket"] = "unix://" + strings.TrimPrefix(j.CRISocket, "unix://")
	}
	if len(j.IgnorePreflightErrors) > 0 {
		node["ignorePreflightErrors"] = j.IgnorePreflightErrors
	}
	config := map[string]any{
		"apiVersion": version, "kind": "JoinConfiguration", "nodeRegistration": node,
		"discovery": map[string]any{"bootstrapToken": map[string]any{
			"apiServerEndpoint": j.Endpoint, "token": j.Token, "caCertHashes": j.Pins,
		}},
	}
	if j.CertificateKey != "" {
		config["controlPlane"] = map[string]any{"certificateKey": j.CertificateKey}
	}
	return json.Marshal(config)
}

// mostSaid bounds what is told of kubeadm's output.
const mostSaid = 1 << 10

// telling are the lines of kubeadm's output that say what is wrong.
func telling(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); strings.Contains(line, "[ERROR") || strings.HasPrefix(line, "error") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		lines = []string{strings.TrimSpace(output[max(0, len(output)-500):])}
	}
	said := strings.Join(lines, "; ")
	return strings.ToValidUTF8(said[:min(len(said), mostSaid)], "")
}
