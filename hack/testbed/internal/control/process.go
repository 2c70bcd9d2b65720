// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// endLimit is how long a component may take to end before it is killed.
const endLimit = 10 * time.Second

// process is one component, as it is started and found again.
type process struct {
	Name string   `json:"name"`
	Path string   `json:"path"`
	Args []string `json:"args"`
	// URL answers 200 when the component is ready; empty if it has none.
	URL string `json:"url,omitempty"`
	Pid int    `json:"pid"`
}

// processes are the components in the order in which they start.
func (p *Plane) processes(programs map[string]string, ports []int) []process {
	etcd, peer, api, manager, scheduler := ports[0], ports[1], ports[2], ports[3], ports[4]
	local := func(scheme string, port int) string { return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port) }
	kubeconfig := "--kubeconfig=" + p.Kubeconfig()
	// The clients' own limits would be what is measured.
	limits := []string{"--kube-api-qps=2000", "--kube-api-burst=4000", "--leader-elect=false", "--bind-address=127.0.0.1"}
	return []process{{
		Name: "etcd", Path: programs["etcd"], URL: local("http", etcd) + "/health",
		Args: []string{"--data-dir=" + p.path("etcd"), "--unsafe-no-fsync", "--listen-client-urls=" + local("http", etcd),
			"--advertise-client-urls=" + local("http", etcd),
			"--listen-peer-urls=" + local("http", peer), "--initial-advertise-peer-urls=" + local("http", peer), "--initial-cluster=default=" +
				local("http", peer)},
	}, {
		Name: "kube-apiserver", Path: programs["kube-apiserver"], URL: local("https", api) + "/readyz",
		Args: []string{"--etcd-servers=" + local("http", etcd), fmt.Sprintf("--secure-port=%d", api), "--bind-address=127.0.0.1",
			"--advertise-address=127.0.0.1",
			"--cert-dir=" + p.path("certs"), "--token-auth-file=" + p.path("tokens.csv"), "--authorization-mode=RBAC",
			"--service-account-issuer=https://control.invalid", "--service-account-key-file=" +
				p.path("sa.key"), "--service-account-signing-key-file=" + p.path("sa.key"),
			"--service-cluster-ip-range=10.96.0.0/16", "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none",
			"--audit-policy-file=" + p.path("audit-policy.yaml"), "--audit-log-path=" + p.AuditLog(), "--audit-log-maxsize=1000"},
	}, {
		Name: "kube-controller-manager", Path: programs["kube-controller-manager"], URL: local("https", manager) + "/healthz",
		Args: append([]string{kubeconfig, fmt.Sprintf("--secure-port=%d", manager), "--cert-dir=" + p.path("certs"),
			"--authorization-always-allow-paths=/healthz",
			"--service-account-private-key-file=" + p.path("sa.key"), "--use-service-account-credentials=false",
			"--concurrent-replicaset-syncs=20", "--concurrent-deployment-syncs=20"}, limits...),
	}, {
		Name: "kube-scheduler", Path: programs["kube-scheduler"], URL: local("https", scheduler) + "/healthz",
		Args: append([]string{kubeconfig, fmt.Sprintf("--secure-port=%d", scheduler), "--cert-dir=" + p.path("certs"),
			"--authorization-always-allow-paths=/healthz"}, limits...),
	}, {
		Name: "kwok", Path: programs["kwok"],
		Args: []string{kubeconfig, "--manage-all-nodes=true", "--config=" + p.path("stages.yaml"), "--node-lease-duration-seconds=40",
			"--cidr=10.0.0.1/8"},
	}}
}

// start runs the component in a session of its own, so that it outlives us.
func (p *process) start(logPath string) error {
	log, err := os.OpenFile(logPath, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.Name, err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(p.Path, p.Args...) //nolint:noctx // it is to outlive us
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Dir(logPath), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.Pid = cmd.Process.Pid
	go func() { _ = cmd.Wait() }() // so that it is no zombie while we live
	return nil
}

// runs reports whether the process that was started still runs, and is not
// another one that has got its number.
func (p *process) runs() bool {
	if p.Pid == 0 {
		return false
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.Pid))
	return err == nil && strings.TrimSuffix(exe, " (deleted)") == p.Path
}

// end asks the process to end, and kills it if it does not.
func (p *process) end() error {
	deadline := time.Now().Add(endLimit)
	for signal := syscall.SIGTERM; p.runs(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			signal = syscall.SIGKILL
		}
		if err := syscall.Kill(p.Pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("end %s (pid %d): %w", p.Name, p.Pid, err)
		}
	}
	p.Pid = 0
	return nil
}

// answers is nil when the component is ready. Who it is was settled by its
// process, so its certificate is not looked at.
func (p *process) answers(ctx context.Context, token string) error {
	if p.URL == "" {
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, //nolint:gosec // on the loopback, see above
	}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", p.URL, response.Status)
	}
	return nil
}
