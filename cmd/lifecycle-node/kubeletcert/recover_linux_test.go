// SPDX-License-Identifier: Apache-2.0

package kubeletcert

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

const (
	machine = "0123456789abcdef0123456789abcdef"
	token   = "abcdef.0123456789abcdef"
)

// made is a certificate that is its own authority, as PEM.
func made(t *testing.T, name string, ends time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: ends.Add(-time.Hour), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// bed is a host whose kubelet's certificate expired an hour ago.
type bed struct {
	t        *testing.T
	root, ca string
	// bootstrap is what the kubelet was started with.
	bootstrap string
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, root: t.TempDir(), ca: made(t, "kubernetes", time.Now().Add(time.Hour))}
	b.write("/etc/machine-id", machine+"\n")
	b.conf(b.ca)
	b.write(current, made(t, "system:node:n1", time.Now().Add(-time.Hour)))
	return b
}

func (b *bed) conf(ca string) {
	b.write(kubeletConf, `{"clusters":[{"name":"k","cluster":{"server":"https://10.0.0.1:6443","certificate-authority-data":"`+
		base64.StdEncoding.EncodeToString([]byte(ca))+`"}}],"users":[{"name":"u","user":{"client-certificate":"`+current+`"}}]}`)
}

func (b *bed) write(path, content string) {
	b.t.Helper()
	at := filepath.Join(b.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(content), 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) read(path string) string {
	raw, err := os.ReadFile(filepath.Join(b.root, path))
	if err != nil {
		return ""
	}
	return string(raw)
}

// recovery is one on this host, whose kubelet gets a certificate of that name; empty is none.
func (b *bed) recovery(issues string) recovery {
	return recovery{host: host.Local{Root: b.root}, now: time.Now, restart: func(context.Context) error {
		b.bootstrap = b.read(bootstrapConf)
		if _, err := os.Lstat(b.root + current); err == nil {
			if _, err := leaf([]byte(b.read(current))); err != nil {
				return nil // as a kubelet does that finds such a file: it ends
			}
		}
		if issues != "" {
			b.write(current, made(b.t, issues, time.Now().Add(time.Hour)))
		}
		return nil
	}}
}

func (b *bed) delivery(controlPlane bool) wire.Delivery {
	task, err := json.Marshal(wire.KubeletOrder{MachineID: machine, ControlPlane: controlPlane})
	if err != nil {
		b.t.Fatal(err)
	}
	return wire.Delivery{JoinToken: token, Spec: wire.Spec{Node: "n1", Task: task,
		Destination: &wire.Destination{Endpoint: "api.example.com:6443", CA: b.ca}}}
}

func TestAKubeletWhoseCertificateHasExpiredGetsAnother(t *testing.T) {
	for name, c := range map[string]struct {
		controlPlane bool
		server       string
	}{
		"a worker asks the endpoint":             {false, "https://api.example.com:6443"},
		"a control plane asks what it has asked": {true, "https://10.0.0.1:6443"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			earlier := b.read(current)
			out, err := b.recovery("system:node:n1").do(t.Context(), b.delivery(c.controlPlane))
			if err != nil || out.Serial != "7" || !out.Ends.After(time.Now()) || !out.Expired.Before(time.Now()) {
				t.Fatalf("%+v, %v", out, err)
			}
			k, err := certs.ParseKubeconfig([]byte(b.bootstrap))
			if err != nil || k.Server != c.server || string(k.CA) != b.ca || !strings.Contains(b.bootstrap, token) {
				t.Errorf("it was started with %s, %v", b.bootstrap, err)
			}
			if b.read(bootstrapConf) != "" {
				t.Error("the token stays on the host")
			}
			if b.read(filepath.Join(out.Backup, filepath.Base(current))) != earlier || b.read(filepath.Join(out.Backup, "kubelet.conf")) == "" {
				t.Error("what it had is not kept")
			}
		})
	}
}

func TestNothingChangesOnAHostThatIsNotTheOne(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b *bed)
		fails  string
	}{
		"another machine":    {func(b *bed) { b.write("/etc/machine-id", "fedcba9876543210\n") }, "another machine than node n1"},
		"no machine-id":      {func(b *bed) { b.write("/etc/machine-id", "") }, "another machine than node n1"},
		"another node":       {func(b *bed) { b.write(current, made(b.t, "system:node:n2", time.Now().Add(-time.Hour))) }, "system:node:n2"},
		"another cluster":    {func(b *bed) { b.conf(made(b.t, "kubernetes", time.Now().Add(time.Hour))) }, "of another cluster"},
		"it has not expired": {func(b *bed) { b.write(current, made(b.t, "system:node:n1", time.Now().Add(time.Hour))) }, "is valid until"},
		"no node at all":     {func(b *bed) { _ = os.Remove(b.root + kubeletConf) }, "read what the kubelet has"},
		"junk":               {func(b *bed) { b.write(kubeletConf, "{") }, "it is no kubeconfig"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			c.change(b)
			_, err := b.recovery("system:node:n1").do(t.Context(), b.delivery(false))
			if err == nil || !strings.Contains(err.Error(), c.fails) || plan.ClassOf(err) != plan.Refused {
				t.Errorf("%v", err)
			}
			if left, _ := filepath.Glob(b.root + "/var/backups/*"); b.bootstrap != "" || b.read(bootstrapConf) != "" || len(left) > 0 {
				t.Errorf("it was changed: %q, %q", b.bootstrap, left)
			}
		})
	}
}

// A power cut in a rotation leaves an empty file, or none.
func TestAKubeletWhoseCertificateIsLostGetsOne(t *testing.T) {
	for name, lose := range map[string]func(b *bed){
		"empty":   func(b *bed) { b.write(current, "") },
		"half":    func(b *bed) { b.write(current, "-----BEGIN CERTIFICATE-----\nMIIB") },
		"no PEM":  func(b *bed) { b.write(current, "x") },
		"no file": func(b *bed) { _ = os.Remove(b.root + current) },
		"a link to an empty file": func(b *bed) {
			_ = os.Remove(b.root + current)
			b.write("/var/lib/kubelet/pki/kubelet-client-2026-01-02-03-04-05.pem", "")
			if err := os.Symlink("kubelet-client-2026-01-02-03-04-05.pem", b.root+current); err != nil {
				b.t.Fatal(err)
			}
		},
		"only key": func(b *bed) { b.write(current, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			lose(b)
			out, err := b.recovery("system:node:n1").do(t.Context(), b.delivery(false))
			if err != nil || out.Serial != "7" || !out.Expired.IsZero() {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
}

// Without its file a kubelet that has no certificate does not start at all.
func TestAKubeletThatGetsNoneKeepsItsFile(t *testing.T) {
	for name, issues := range map[string]string{"none": "", "one of another name": "system:node:n2"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				b.write(current, made(t, "system:node:n1", time.Now().Add(-time.Hour)))
				_, err := b.recovery(issues).do(t.Context(), b.delivery(false))
				if err == nil || !strings.Contains(err.Error(), "no new certificate after") || plan.ClassOf(err) == plan.Refused ||
					!strings.Contains(plan.HintOf(err), "journalctl -u kubelet") || b.read(bootstrapConf) == "" {
					t.Errorf("%v", err)
				}
				info, err := os.Stat(b.root + bootstrapConf)
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%v, %v", info, err)
				}
			})
		})
	}
}
