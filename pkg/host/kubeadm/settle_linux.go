// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"context"
	"errors"
	"os"
)

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
	raw, err := j.Host.ReadLinked("/etc/kubernetes/kubelet.conf", mostOfConfig)
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
	raw, err := j.Host.ReadLinked(path, mostOfConfig)
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
