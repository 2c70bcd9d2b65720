// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// initLimit bounds "kubeadm init", which itself waits four minutes for the kubelet and
	// four for the control plane; imagesLimit its checks, which pull the images.
	initLimit   = 12 * time.Minute
	imagesLimit = 10 * time.Minute
	// AdminFile is the kubeconfig of the cluster's administrator.
	AdminFile = "/etc/kubernetes/admin.conf"
)

// Init is how this machine becomes the first control plane of a new cluster.
type Init struct {
	Host      host.Local
	Documents Documents
	// File is where kubeadm's configuration lies while it runs, with mode 0600.
	File string
}

// Founding is how far a machine is on its way to a new cluster.
type Founding int

// The foundings.
const (
	// Blank: no cluster has been begun here by Init.
	Blank Founding = iota
	// HalfMade: Init has begun this very cluster, and kubeadm has not ended well yet.
	HalfMade
	// Made: Init has made this cluster.
	Made
)

// Look says how far the machine is, and by the second value whether other settings were
// given then.
func (i Init) Look() (Founding, Settings, bool, error) {
	n, err := i.noted()
	if err != nil || n == nil {
		return Blank, Settings{}, false, err
	}
	s := Settings{Endpoint: n.Endpoint, Assumed: n.Assumed}
	if n.Done {
		return Made, s, n.Settings != i.Documents.Hash(), nil
	}
	return HalfMade, s, n.Settings != i.Documents.Hash(), nil
}

// Plan completes the configuration with what the machine is, and refuses what cannot
// work. It changes nothing.
func (i Init) Plan(ctx context.Context) (file []byte, s Settings, err error) {
	versions, err := Join{Host: i.Host}.versions(ctx)
	if err != nil {
		return nil, s, plan.Refuse(err, "install kubeadm and kubelet on the host, then run the command again")
	}
	file, s, err = i.Documents.Complete(Local{Versions: versions, Address: outward(ctx), Nets: networks(), Token: token()})
	if err != nil {
		return nil, s, err
	}
	name, _, err := net.SplitHostPort(s.Endpoint)
	if err != nil {
		return nil, s, plan.Refuse(fmt.Errorf("the endpoint: %w", err), "it is HOST or HOST:PORT")
	}
	if _, err := net.DefaultResolver.LookupHost(ctx, name); err != nil {
		return nil, s, plan.Refuse(fmt.Errorf("from this host, the endpoint has no address: %w", err),
			"have DNS know %s, or write it to /etc/hosts of every host of the cluster; it must lead to this host by then", name)
	}
	return file, s, nil
}

// outward is the address that packets to elsewhere come from; none is sent.
func outward(ctx context.Context) string {
	for _, one := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // of RFC 5737 and 3849: no host has them
		if c, err := (&net.Dialer{}).DialContext(ctx, "udp", one); err == nil {
			address, is := c.LocalAddr().(*net.UDPAddr)
			_ = c.Close() // nothing was sent
			if is {
				return address.IP.String()
			}
		}
	}
	return ""
}

// networks are those of the machine's links.
func networks() (all []*net.IPNet) {
	addresses, _ := net.InterfaceAddrs() // without them nothing is compared
	for _, a := range addresses {
		if n, is := a.(*net.IPNet); is && n.IP.IsGlobalUnicast() {
			all = append(all, &net.IPNet{IP: n.IP.Mask(n.Mask), Mask: n.Mask})
		}
	}
	return all
}

// token is a bootstrap token that is told to no one.
func token() string {
	text := strings.ToLower(rand.Text()) // letters and the digits 2 to 7
	return text[:6] + "." + text[6:22]
}

// Do has kubeadm make the cluster, or go on with one that it has begun. What marks a
// cluster as this one is written down before there is any of it.
func (i Init) Do(ctx context.Context, file []byte, s Settings) error {
	path := i.Host.Path(i.File)
	defer func() { _ = os.Remove(path) }() // and the run's directory goes as a whole
	if err := os.WriteFile(path, file, 0o600); err != nil {
		return err
	}
	n, err := i.noted()
	if err != nil {
		return err
	}
	if n == nil {
		if err := i.kubeadm(ctx, imagesLimit, "init", "phase", "preflight", "--config", i.File); err != nil {
			return plan.Refuse(err, "%s", wayPast(checksOf(err)))
		}
		n = &note{Settings: i.Documents.Hash(), Endpoint: s.Endpoint, Assumed: s.Assumed}
	}
	if err := i.begin(ctx, n); err != nil {
		return err
	}
	skip := strings.Join(append([]string{"preflight"}, s.skip...), ",")
	if err := i.kubeadm(ctx, initLimit, "init", "--config", i.File, "--skip-phases", skip, "--skip-token-print",
		"--skip-certificate-key-print"); err != nil {
		return err
	}
	n.Done = true
	return i.write(*n)
}

// begin makes the authority, unless it is there, and writes down that it is this
// cluster's: before it is made that it will be, so that a machine that dies here is known.
func (i Init) begin(ctx context.Context, n *note) error {
	if n.Authority == "" {
		if err := host.MakeDir(i.Host.Path(CertificatesDir), 0o700); err != nil {
			return err
		}
		if err := i.write(*n); err != nil {
			return err
		}
		if err := i.kubeadm(ctx, time.Minute, "init", "phase", "certs", "ca", "--config", i.File); err != nil {
			return err
		}
	}
	authority, err := i.authority()
	if err == nil && authority == "" {
		err = errors.New("kubeadm has made no authority in " + CertificatesDir)
	}
	if err != nil {
		return err
	}
	n.Authority = authority
	return i.write(*n)
}

// kubeadm runs it; its error holds the lines that say what is wrong, and no token.
func (i Init) kubeadm(ctx context.Context, limit time.Duration, args ...string) error {
	_, err := i.Host.Run(ctx, host.Command{Name: "kubeadm", Args: args, Timeout: limit, Most: 8 << 20})
	var failed *host.CommandError
	if !errors.As(err, &failed) {
		return err
	}
	said := &kubeadmError{phase: strings.Join(args[:min(len(args), 3)], " "), output: failed.Output, err: failed.Err}
	return withKubelet(ctx, i.Host, said, failed.Output)
}

// kubeadmError is kubeadm's end, with all that it has printed.
type kubeadmError struct {
	phase, output string
	err           error
}

// Error is the lines that say what is wrong.
func (e *kubeadmError) Error() string {
	return fmt.Sprintf("kubeadm has failed (%s): %v: %s", e.phase, e.err, telling(e.output))
}

// Unwrap is how the process ended.
func (e *kubeadmError) Unwrap() error { return e.err }

// checksOf are kubeadm's checks that have failed.
func checksOf(err error) []string {
	var failed *kubeadmError
	if !errors.As(err, &failed) {
		return nil
	}
	checks, _ := preflight(failed.output)
	return checks
}
