// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func limits() Limits { return Limits{Warn: 30 * 24 * time.Hour, Critical: 7 * 24 * time.Hour} }

func TestAHostAsKubeadmLeavesItHasNoFaults(t *testing.T) {
	for name, key := range map[string]func() (crypto.Signer, error){"ECDSA": ofECDSA, "RSA": ofRSA(), "Ed25519": ofEd25519} {
		t.Run(name, func(t *testing.T) {
			look := Read(controlPlane(t, key), Layout{ControlPlane: true})
			Judge(look.Rows, begin().Add(time.Hour), limits())
			var names []string
			for _, r := range look.Rows {
				names = append(names, r.Name)
				if r.Status != OK || len(r.Faults) > 0 || r.Certificate == nil || !strings.HasPrefix(r.Certificate.Key, name) {
					t.Errorf("%+v", r)
				}
			}
			want := []string{"ca", "front-proxy-ca", "etcd-ca", "apiserver", "apiserver-kubelet-client", "front-proxy-client",
				"apiserver-etcd-client", "etcd-healthcheck-client", "etcd-server", "etcd-peer", "admin.conf", "super-admin.conf",
				"controller-manager.conf", "scheduler.conf", "kubelet-client", "kubelet-server"}
			if !slices.Equal(names, want) || len(look.ServiceAccountKey) != 64 {
				t.Errorf("%q, key %q", names, look.ServiceAccountKey)
			}
		})
	}
}

// TestWhatIsWrongCostsItsOwnRow: one row shows it, and all others are as before.
func TestWhatIsWrongCostsItsOwnRow(t *testing.T) {
	month := func(c *x509.Certificate) { c.NotAfter = begin().Add(20 * 24 * time.Hour) }
	for name, c := range map[string]struct {
		change func(h *host)
		row    string
		status Status
		says   string
	}{
		"it ends soon": {func(h *host) { h.pair(pki+"apiserver", h.issue("a", &h.ca, month)) }, "apiserver", Expiring, ""},
		"it ends very soon": {func(h *host) {
			h.pair(pki+"apiserver", h.issue("a", &h.ca, func(c *x509.Certificate) { c.NotAfter = begin().Add(3 * 24 * time.Hour) }))
		}, "apiserver", Critical, ""},
		"it has ended": {func(h *host) {
			h.pair(pki+"etcd/peer", h.issue("p", &h.etcd, func(c *x509.Certificate) { c.NotAfter = begin().Add(time.Minute) }))
		}, "etcd-peer", Expired, ""},
		"it begins later": {func(h *host) {
			h.pair(pki+"etcd/peer", h.issue("p", &h.etcd, func(c *x509.Certificate) { c.NotBefore = begin().Add(24 * time.Hour) }))
		}, "etcd-peer", NotYet, ""},
		"another authority has signed it": {func(h *host) { h.pair(pki+"apiserver", h.issue("a", &h.etcd, nil)) }, "apiserver", Wrong,
			"not signed by its authority"},
		"an authority of the same name has signed it": {func(h *host) {
			other := h.issue("kubernetes", nil, func(c *x509.Certificate) { c.SubjectKeyId = h.ca.cert.SubjectKeyId })
			h.pair(pki+"apiserver", h.issue("a", &other, nil))
		}, "apiserver", Wrong, "not signed by its authority"},
		"its key is another": {func(h *host) { h.put(pki+"apiserver.key", h.ca.keyPEM(), 0o600) }, "apiserver", Wrong, "does not match"},
		"its key is not there": {func(h *host) { delete(h.MapFS, "etc/kubernetes/pki/apiserver.key") }, "apiserver", Wrong,
			"its key cannot be read: it is not there"},
		"its key is encrypted": {func(h *host) {
			h.put(pki+"apiserver.key", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n"), 0o600)
		}, "apiserver", Wrong, "encrypted"},
		"every user may read its key": {func(h *host) {
			h.put(pki+"sa.key", h.MapFS["etc/kubernetes/pki/sa.key"].Data, 0o644)
		}, "sa.key", Wrong, "mode 0644"},
		"it is not there":      {func(h *host) { delete(h.MapFS, "etc/kubernetes/pki/apiserver.crt") }, "apiserver", Missing, ""},
		"it need not be there": {func(h *host) { delete(h.MapFS, "etc/kubernetes/super-admin.conf") }, "super-admin.conf", Absent, ""},
		"it is garbage": {func(h *host) { h.put(pki+"apiserver.crt", []byte("\x00garbage"), 0o600) }, "apiserver", Unread,
			"no certificate"},
		"it is PEM and garbage": {func(h *host) {
			h.put(pki+"apiserver.crt", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600)
		}, "apiserver", Unread, "parse"},
		"it is empty": {func(h *host) { h.put(pki+"apiserver.crt", nil, 0o600) }, "apiserver", Unread, "empty"},
		"it is huge":  {func(h *host) { h.put(pki+"apiserver.crt", make([]byte, MostOfFile+1), 0o600) }, "apiserver", Unread, "more than"},
		"it holds a thousand": {func(h *host) { h.put(pki+"apiserver.crt", bytes.Repeat(h.ca.pem(), 1000), 0o600) }, "apiserver", Unread,
			"more than 64"},
		"it is a directory": {func(h *host) {
			h.put(pki+"apiserver.crt/x", nil, 0o600)
			delete(h.MapFS, "etc/kubernetes/pki/apiserver.crt")
		},
			"apiserver", Unread, "no regular file"},
		"a kubeconfig is none": {func(h *host) { h.put("/etc/kubernetes/scheduler.conf", []byte("a: [b"), 0o600) }, "scheduler.conf", Unread,
			"no kubeconfig"},
		"a kubeconfig holds no certificate": {func(h *host) {
			h.put("/etc/kubernetes/scheduler.conf", []byte("users: [{name: a, user: {token: x}}]"), 0o600)
		}, "scheduler.conf", Unread, "no client certificate"},
		"a kubeconfig of another cluster": {func(h *host) {
			other := &host{ca: h.issue("kubernetes", nil, nil), maker: h.maker}
			h.put("/etc/kubernetes/scheduler.conf", other.kubeconfig(h.issue("s", &h.ca, nil)), 0o600)
		}, "scheduler.conf", Wrong, "trusts another authority"},
		"the kubelet's own certificate is in its kubeconfig": {func(h *host) {
			h.put("/etc/kubernetes/kubelet.conf", h.kubeconfig(h.issue("system:node:cp1", &h.ca, nil)), 0o600)
		}, "kubelet.conf", Wrong, "which nothing renews"},
		"the key of ServiceAccounts is another": {func(h *host) { h.put(pki+"sa.key", h.ca.keyPEM(), 0o600) }, "sa.key", Wrong, "sa.pub"},
		"an authority that is none": {func(h *host) {
			h.pair(pki+"front-proxy-client", h.issue("x", &h.proxy, nil))
			h.pair(pki+"extra", h.issue("x", &h.ca, month))
		},
			"extra.crt", Expiring, ""},
		"a copy that ends": {func(h *host) { h.put("/root/.kube/config", h.kubeconfig(h.issue("admin", &h.ca, month)), 0o600) },
			"/root/.kube/config", Expiring, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := controlPlane(t, ofECDSA)
			c.change(h)
			look := Read(h, Layout{ControlPlane: true})
			Judge(look.Rows, begin().Add(time.Hour), limits())
			got := find(look.Rows, c.row)
			if len(got) != 1 {
				t.Fatalf("%d rows %s", len(got), c.row)
			}
			said := got[0].CannotRead + strings.Join(got[0].Faults, "; ")
			if got[0].Status != c.status || !strings.Contains(said, c.says) {
				t.Errorf("%s: %q, want %s: %q", got[0].Status, said, c.status, c.says)
			}
			for _, r := range look.Rows {
				if r.Name != c.row && r.Status != OK {
					t.Errorf("%s is %s: %q %q", r.Name, r.Status, r.Faults, r.CannotRead)
				}
			}
		})
	}
}

func TestNoPrivateKeyIsInWhatIsTold(t *testing.T) {
	h := controlPlane(t, ofECDSA)
	h.put("/root/.kube/config", h.MapFS["etc/kubernetes/admin.conf"].Data, 0o600)
	h.put(pki+"apiserver.key", []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600)
	h.put("/etc/kubernetes/scheduler.conf", []byte("users: [{user: {client-key-data: SECRET: x}}]"), 0o600)
	raw, err := json.Marshal(Read(h, Layout{ControlPlane: true}))
	if err != nil {
		t.Fatal(err)
	}
	for path, f := range h.MapFS {
		for block, rest := pem.Decode(f.Data); block != nil; block, rest = pem.Decode(rest) {
			if strings.Contains(block.Type, "PRIVATE") && (bytes.Contains(raw, []byte(digest(block.Bytes))) || bytes.Contains(raw, f.Data)) {
				t.Errorf("%s is in the answer", path)
			}
		}
	}
	if bytes.Contains(raw, []byte("SECRET")) || bytes.Contains(raw, []byte("PRIVATE KEY")) {
		t.Errorf("%s", raw)
	}
}

func TestAnExternalAuthorityIsNoFault(t *testing.T) {
	h := controlPlane(t, ofECDSA)
	delete(h.MapFS, "etc/kubernetes/pki/ca.key")
	look := Read(h, Layout{ControlPlane: true})
	Judge(look.Rows, begin().Add(time.Hour), limits())
	for _, r := range look.Rows {
		external := r.Name == "ca" || r.CA == "ca" && r.ManagedBy != ByKubelet
		if r.Status != OK || r.ExternallyManaged != external || (r.ManagedBy == External) != external {
			t.Errorf("%+v", r)
		}
	}
}

func TestAnEtcdOfItsOwnHosts(t *testing.T) {
	h := controlPlane(t, ofECDSA)
	for path := range h.MapFS {
		if strings.HasPrefix(path, "etc/kubernetes/pki/etcd/") || strings.Contains(path, "apiserver-etcd") ||
			strings.HasSuffix(path, "etcd.yaml") {
			delete(h.MapFS, path)
		}
	}
	h.put("/srv/etcd-ca.crt", h.etcd.pem(), 0o644)
	client := h.issue("client", &h.etcd, nil)
	h.put("/srv/client.pem", client.pem(), 0o644)
	h.put("/srv/client-key.pem", client.keyPEM(), 0o600)
	h.put("/etc/kubernetes/manifests/kube-apiserver.yaml", manifest("kube-apiserver", "--etcd-servers=https://192.0.2.9:2379",
		"--etcd-cafile=/srv/etcd-ca.crt", "--etcd-certfile=/srv/client.pem", "--etcd-keyfile=/srv/client-key.pem"), 0o600)
	look := Read(h, Layout{ControlPlane: true})
	Judge(look.Rows, begin().Add(time.Hour), limits())
	for _, r := range look.Rows {
		if r.Status != OK || strings.HasPrefix(r.Name, "etcd-") && r.Name != "etcd-ca" {
			t.Errorf("%+v", r)
		}
	}
	if got := find(look.Rows, "apiserver-etcd-client"); len(got) != 1 || got[0].Where != "/srv/client.pem" || got[0].ManagedBy != External {
		t.Errorf("%+v", got)
	}
}

func TestAWorkerHasNoCertificatesOfAControlPlane(t *testing.T) {
	h := controlPlane(t, ofECDSA)
	for path := range h.MapFS {
		if strings.HasPrefix(path, "etc/kubernetes/") && path != "etc/kubernetes/pki/ca.crt" && path != "etc/kubernetes/kubelet.conf" {
			delete(h.MapFS, path)
		}
	}
	look := Read(h, Layout{})
	Judge(look.Rows, begin().Add(time.Hour), limits())
	var names []string
	for _, r := range look.Rows {
		names = append(names, r.Name+" "+string(r.Status))
	}
	if want := []string{"ca ok", "kubelet-client ok", "kubelet-server ok"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

func TestEachAuthorityOfABundleHasARow(t *testing.T) {
	h := controlPlane(t, ofECDSA)
	root := h.issue("root", nil, nil)
	middle := h.issue("kubernetes", &root, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign })
	h.put(pki+"ca.crt", append(middle.pem(), root.pem()...), 0o644)
	h.put(pki+"ca.key", middle.keyPEM(), 0o600)
	h.pair(pki+"apiserver", h.issue("kube-apiserver", &middle, nil))
	rows := Read(h, Layout{ControlPlane: true}).Rows
	if second := find(rows, "ca (2)"); len(second) != 1 || second[0].Certificate.Subject != "CN=root" {
		t.Errorf("%+v", second)
	}
	for _, name := range []string{"ca", "apiserver"} {
		if got := find(rows, name); len(got) != 1 || len(got[0].Faults) > 0 {
			t.Errorf("%+v", got)
		}
	}
}

func TestAnAlgorithmThatIsNotKnownIsARowLikeAnyOther(t *testing.T) {
	h := controlPlane(t, ofEd25519)
	h.put(pki+"apiserver.crt", unknown(h.issue("kube-apiserver", &h.ca, nil)), 0o644)
	h.put(pki+"ca.crt", unknown(h.ca), 0o644)
	h.put(pki+"ca.key", []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600)
	h.put(pki+"apiserver.key", []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600)
	rows := Read(h, Layout{ControlPlane: true}).Rows
	Judge(rows, begin().Add(time.Hour), limits())
	for _, name := range []string{"ca", "apiserver"} {
		got := find(rows, name)[0]
		if got.Status != OK || !strings.Contains(strings.Join(got.Notes, " "), "not proved") ||
			got.Certificate.Key != "an algorithm that is not known here" {
			t.Errorf("%+v", got)
		}
	}
}

// TestADiskThatWouldHang reads a real directory: links in a circle and pipes are not waited for.
func TestADiskThatWouldHang(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, "etc/kubernetes/pki", name) }
	for _, err := range []error{
		os.MkdirAll(at("deep/a/b/c/d/e/f/g/h"), 0o755), os.Symlink("apiserver.crt", at("apiserver.crt")), syscall.Mkfifo(at("ca.crt"), 0o600),
		syscall.Mkfifo(at("other.crt"), 0o600), os.Symlink("..", at("deep/up")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	rows := Read(os.DirFS(dir), Layout{ControlPlane: true}).Rows
	for name, says := range map[string]string{"apiserver": "too many", "ca": "no regular file", "other.crt": "no regular file"} {
		if got := find(rows, name); len(got) != 1 || !strings.Contains(got[0].CannotRead, says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
