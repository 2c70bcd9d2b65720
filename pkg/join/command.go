// SPDX-License-Identifier: Apache-2.0

package join

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// CommandOptions are the flags of kubeadm join that a person may want set.
type CommandOptions struct {
	// NodeName is the Node's name; empty leaves it to the host's name.
	NodeName string
	// CRISocket is a path or a unix:// address; empty leaves it to kubeadm.
	CRISocket string
	// CertificateKey makes the host a control plane: kubeadm reads the certificates of
	// the cluster with it. Empty for a worker.
	CertificateKey string
	// IgnorePreflightErrors are names of kubeadm's checks, or "all".
	IgnorePreflightErrors []string
}

// Validate returns an error of class Misused for what kubeadm would not take.
func (o CommandOptions) Validate() error {
	if o.NodeName != "" {
		if err := check.ValidName(o.NodeName); err != nil {
			return err
		}
	}
	if o.CRISocket != "" && !validSocket(o.CRISocket) {
		return plan.As(plan.Misused, plan.Hint(fmt.Errorf("%q is not a CRI socket", text.Brief(o.CRISocket)),
			"give it like unix:///run/containerd/containerd.sock"))
	}
	check := regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	for _, name := range o.IgnorePreflightErrors {
		if !check.MatchString(name) {
			return plan.As(plan.Misused, plan.Hint(fmt.Errorf("%q is not the name of a kubeadm check", text.Brief(name)),
				"kubeadm prints the names in brackets, for example Swap; or give all"))
		}
		if strings.EqualFold(name, "all") && len(o.IgnorePreflightErrors) > 1 {
			return plan.As(plan.Misused, plan.Hint(errors.New("all checks and single ones cannot be ignored together"),
				"give all alone, or the names alone"))
		}
	}
	return nil
}

func validSocket(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "unix" || u.Scheme == "") && u.Host == "" && strings.HasPrefix(u.Path, "/") && text.Brief(s) == s
}

// Command is the line to run as root on the host that joins, and the one place
// where a token is shown. Every word is safe for a POSIX shell. None needs quotes
// unless the endpoint is an IPv6 address or a socket has an odd name, so that
// $(…) around it works as well.
func Command(c Cluster, t bootstrap.Token, o CommandOptions) string {
	words := []string{"kubeadm", "join", c.Endpoint, "--token", t.Whole()}
	for _, pin := range c.Pins {
		words = append(words, "--discovery-token-ca-cert-hash", pin)
	}
	if o.CertificateKey != "" {
		words = append(words, "--control-plane", "--certificate-key", o.CertificateKey)
	}
	if o.NodeName != "" {
		words = append(words, "--node-name", o.NodeName)
	}
	if o.CRISocket != "" {
		words = append(words, "--cri-socket", o.CRISocket)
	}
	if len(o.IgnorePreflightErrors) > 0 {
		words = append(words, "--ignore-preflight-errors", strings.Join(o.IgnorePreflightErrors, ","))
	}
	return text.Command(words...)
}
