// SPDX-License-Identifier: Apache-2.0

package kubeletcert

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// The files of a kubelet of kubeadm's: its flags name the first two.
const (
	kubeletConf   = "/etc/kubernetes/kubelet.conf"
	bootstrapConf = "/etc/kubernetes/bootstrap-kubelet.conf"
	current       = "/var/lib/kubelet/pki/kubelet-client-current.pem"
	mostOfFile    = 1 << 20
)

const (
	// issued is how long the kubelet may take to have another certificate: the controller
	// manager approves and signs it within seconds.
	issued = 2 * time.Minute
	every  = 500 * time.Millisecond
)

// recovery is one on this host.
type recovery struct {
	host host.Local
	now  func() time.Time
	// restart restarts the kubelet.
	restart func(ctx context.Context) error
}

// Answer does what a delivery says, while lock lets it alone change the host.
func Answer(ctx context.Context, d wire.Delivery, lock func() (unlock func(), err error)) (json.RawMessage, error) {
	r := recovery{now: time.Now, restart: func(ctx context.Context) error {
		_, err := host.Local{}.Run(ctx, host.Command{Name: "systemctl", Args: []string{"restart", "kubelet"}, Timeout: time.Minute})
		return err
	}}
	unlock, err := lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	out, err := r.do(ctx, d)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// before is what the kubelet has.
type before struct {
	server string
	// certificate is nil where there is none that can be read.
	certificate *x509.Certificate
}

func (r recovery) do(ctx context.Context, d wire.Delivery) (out wire.KubeletRecovered, err error) {
	had, err := r.begin(d, &out)
	if err != nil {
		return out, plan.As(plan.Refused, err) // the kubelet has been told nothing yet
	}
	got, err := r.issued(ctx, d.Spec.Node, had.certificate)
	if err != nil {
		// A kubelet that has no certificate does not start without that file.
		return out, plan.Begun(plan.Hint(fmt.Errorf("%w; %s stays, with a token that ends by itself", err, bootstrapConf),
			"see on the host why: journalctl -u kubelet; then run the command again"))
	}
	out.Serial, out.Ends = got.SerialNumber.String(), got.NotAfter
	return out, plan.Begun(r.forget())
}

// expires is when it ended; zero where there is none that can be read.
func (b before) expires() time.Time {
	if b.certificate == nil {
		return time.Time{}
	}
	return b.certificate.NotAfter
}

// begin sees that this is the host, keeps what the kubelet has, and writes what it is to
// begin with.
func (r recovery) begin(d wire.Delivery, out *wire.KubeletRecovered) (had before, err error) {
	to := d.Spec.Destination
	if to == nil || to.Endpoint == "" || to.CA == "" || d.JoinToken == "" || d.Spec.Node == "" {
		return had, errors.New("the delivery names no cluster")
	}
	var order wire.KubeletOrder
	if err := json.Unmarshal(d.Spec.Task, &order); err != nil {
		return had, fmt.Errorf("decode the order: %w", err)
	}
	if err := r.sameMachine(d.Spec.Node, order.MachineID); err != nil {
		return had, err
	}
	if had, err = r.look(d.Spec.Node, to.CA); err != nil {
		return had, err
	}
	out.Expired = had.expires()
	if r.now().Before(out.Expired) {
		return had, plan.Refuse(fmt.Errorf("the kubelet's client certificate is valid until %s", out.Expired.UTC().Format(time.DateTime)),
			"it is not what keeps the node away, if the clock of the host is right; see there: journalctl -u kubelet")
	}
	if out.Backup, err = r.clear(had); err != nil {
		return had, err
	}
	server := "https://" + to.Endpoint
	if order.ControlPlane && had.server != "" {
		server = had.server
	}
	raw, err := bootstrap(server, to.CA, d.JoinToken)
	if err == nil {
		err = r.write(bootstrapConf, raw)
	}
	if err != nil {
		return had, fmt.Errorf("write %s: %w", bootstrapConf, err)
	}
	return had, nil
}

// sameMachine refuses a host that is not the one of the Node.
func (r recovery) sameMachine(node, machineID string) error {
	raw, err := r.host.ReadLinked("/etc/machine-id", mostOfFile)
	if err != nil {
		return err
	}
	if id := strings.TrimSpace(string(raw)); id == "" || id != machineID {
		return plan.Refuse(fmt.Errorf("this is another machine than node %s: its machine-id is %q, the Node says %q", node, id, machineID),
			"name the host of that node: --ssh [USER@]HOST")
	}
	return nil
}

// look reads what the kubelet has, and refuses a host of another cluster or another node.
func (r recovery) look(node, ca string) (had before, err error) {
	raw, err := r.host.ReadLinked(kubeletConf, mostOfFile)
	if err != nil {
		return had, plan.Hint(fmt.Errorf("read what the kubelet has: %w", err), "is this host a node of the cluster? See: ls -l %s", kubeletConf)
	}
	k, err := certs.ParseKubeconfig(raw)
	if err != nil {
		return had, fmt.Errorf("%s: %w", kubeletConf, err)
	}
	if len(k.CA) == 0 && k.CAFile != "" {
		if k.CA, err = r.host.ReadLinked(k.CAFile, mostOfFile); err != nil {
			return had, err
		}
	}
	if !shared(k.CA, []byte(ca)) {
		return had, plan.Refuse(fmt.Errorf("%s is of another cluster: its authority is none of this one's", kubeletConf),
			"was the cluster's authority replaced? Then the host has to join again")
	}
	had.server = k.Server
	if len(k.Certificate) == 0 {
		k.Certificate, err = r.host.ReadLinked(cmp.Or(k.CertificateFile, current), mostOfFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return had, fmt.Errorf("read the kubelet's certificate: %w", err)
		}
	}
	if had.certificate, err = leaf(k.Certificate); err != nil {
		// It is lost: a power cut or a full disk leaves an empty file. The machine and the
		// cluster were compared.
		return had, nil
	}
	if name := had.certificate.Subject.CommonName; name != "system:node:"+node {
		return had, plan.Refuse(fmt.Errorf("the kubelet's certificate is that of %q, not of node %s", name, node), "name the host of that node")
	}
	return had, nil
}

// write puts a whole file in place, for root alone, and onto the disk.
func (r recovery) write(path string, raw []byte) error {
	at := r.host.Path(path)
	f, err := os.CreateTemp(filepath.Dir(at), inventory.RenewalMark+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return errors.Join(os.Rename(f.Name(), at), host.SyncDir(filepath.Dir(at)))
}

// forget deletes the file with the token.
func (r recovery) forget() error {
	err := os.Remove(r.host.Path(bootstrapConf))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// issued restarts the kubelet, and waits until it has another certificate, which is valid.
func (r recovery) issued(ctx context.Context, node string, earlier *x509.Certificate) (*x509.Certificate, error) {
	if err := r.restart(ctx); err != nil {
		return nil, fmt.Errorf("restart the kubelet: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, issued)
	defer cancel()
	for {
		raw, err := r.host.ReadLinked(current, mostOfFile)
		if err == nil {
			got, err := leaf(raw)
			if err == nil && !got.Equal(earlier) && got.Subject.CommonName == "system:node:"+node && r.now().Before(got.NotAfter) {
				return got, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the kubelet has no new certificate after %s", issued)
		case <-time.After(every):
		}
	}
}

// bootstrap is the kubeconfig with which a kubelet asks for its certificate; JSON is YAML.
func bootstrap(server, ca, token string) ([]byte, error) {
	const name = "bootstrap"
	type named map[string]any
	return json.Marshal(named{
		"apiVersion": "v1", "kind": "Config", "current-context": name,
		"clusters": []named{{"name": name, "cluster": named{"server": server, "certificate-authority-data": []byte(ca)}}},
		"users":    []named{{"name": name, "user": named{"token": token}}},
		"contexts": []named{{"name": name, "context": named{"cluster": name, "user": name}}},
	})
}

// leaf is the first certificate in PEM.
func leaf(raw []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, errors.New("there is no certificate in it")
}

// shared reports whether a certificate is in both bundles.
func shared(a, b []byte) bool {
	for block, rest := pem.Decode(a); block != nil; block, rest = pem.Decode(rest) {
		for other, more := pem.Decode(b); other != nil; other, more = pem.Decode(more) {
			if bytes.Equal(block.Bytes, other.Bytes) {
				return true
			}
		}
	}
	return false
}
