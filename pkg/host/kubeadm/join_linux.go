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
		if checks, refused := preflight(failed.Output); refused {
			return plan.Refuse(said, "%s", wayPast(checks))
		}
		return said
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
	for _, found := range regexp.MustCompile(`\[ERROR ([A-Za-z0-9._-]{1,128})\]`).FindAllStringSubmatch(output, mostChecks) {
		if !slices.Contains(checks, found[1]) {
			checks = append(checks, found[1])
		}
	}
	return checks, len(checks) > 0 || strings.Contains(output, "error execution phase preflight")
}

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
	return json.Marshal(map[string]any{
		"apiVersion": version, "kind": "JoinConfiguration", "nodeRegistration": node,
		"discovery": map[string]any{"bootstrapToken": map[string]any{
			"apiServerEndpoint": j.Endpoint, "token": j.Token, "caCertHashes": j.Pins,
		}},
	})
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

// Past is what the one who has a host join has written down about it.
type Past struct {
	// Joined says that Do has ended well, Cleaned that the host had left its old
	// cluster before Do was called.
	Joined, Cleaned bool
}

// mostOfConfig bounds what is read of a kubelet.conf or a certificate.
const mostOfConfig = 1 << 20

// Look reads how far the machine has come; see Trace.
func (j Join) Look(past Past) (Trace, error) {
	t := Trace{Noted: past.Joined, Cleaned: past.Cleaned}
	raw, err := host.ReadLinked(j.Host.Path("/etc/kubernetes/kubelet.conf"), mostOfConfig)
	if errors.Is(err, os.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	k := parseKubeconfig(raw)
	if len(k.ca) == 0 {
		if k.caFile == "" {
			k.caFile = "/etc/kubernetes/pki/ca.crt"
		}
		k.ca, err = j.readIf(k.caFile)
	}
	if err != nil {
		return t, err
	}
	switch {
	case k.server == "" || len(certificates(k.ca)) == 0:
		t.Kubeconfig = Unclear
	case sharesCertificate(k.ca, []byte(j.CA)):
		t.Kubeconfig, t.Endpoint = Theirs, k.names(j.Endpoint)
	default:
		t.Kubeconfig = Others
	}
	if k.certificate == "" {
		k.certificate = "/var/lib/kubelet/pki/kubelet-client-current.pem"
	}
	cert, err := j.readIf(k.certificate)
	t.Certificate = k.embedded || len(certificates(cert)) > 0
	return t, err
}

// readIf reads a file of root's that need not exist.
func (j Join) readIf(path string) ([]byte, error) {
	raw, err := host.ReadLinked(j.Host.Path(path), mostOfConfig)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

const unit = "kubelet.service"

// Settle says where the machine is, for good: a kubelet that is still being let
// in is stopped first, so that it cannot become a node between the look and what
// is done about it. One that was let in all the same is started again.
func (j Join) Settle(ctx context.Context, past Past) (Standing, error) {
	trace, err := j.Look(past)
	if err == nil && trace.Standing() == Apart && past.Cleaned {
		if err = j.quiet(ctx, trace); err == nil {
			trace, err = j.Look(past)
		}
	}
	if err != nil {
		return Apart, err
	}
	if trace.Standing() == Arrived && past.Cleaned {
		j.wake(ctx)
	}
	return trace.Standing(), nil
}

// quiet stops a kubelet that has something to join with.
func (j Join) quiet(ctx context.Context, trace Trace) error {
	bootstraps, err := j.readIf("/etc/kubernetes/bootstrap-kubelet.conf")
	if err != nil || trace.Kubeconfig == NoOne && len(bootstraps) == 0 {
		return err
	}
	u, err := j.Host.Unit(ctx, unit)
	if err != nil || !u.Running() {
		return err
	}
	return j.Host.StopUnit(ctx, unit)
}

// wake starts a kubelet that was stopped by quiet, also by that of an earlier
// process. One that cannot start is a matter of the cluster that it has joined,
// where it shows.
func (j Join) wake(ctx context.Context) {
	if u, err := j.Host.Unit(ctx, unit); err == nil && u.Load == "loaded" && !u.Running() {
		_ = j.Host.StartUnit(ctx, unit)
	}
}
