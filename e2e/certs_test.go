// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// certificates is what "certs check -o json" prints.
type certificates struct {
	Certificates []certificate `json:"certificates"`
}

type certificate struct {
	Node        string   `json:"node"`
	Name        string   `json:"name"`
	Expires     string   `json:"expires"`
	CA          string   `json:"ca"`
	External    bool     `json:"externallyManaged"`
	Missing     bool     `json:"missing"`
	Certificate numbered `json:"certificate"`
	Served      struct {
		Certificate numbered `json:"certificate"`
	} `json:"served"`
}

type numbered struct {
	Serial string `json:"serial"`
}

// stageCertificates: the table is kubeadm's and more, a renewal is seen to be in use, and
// the API server is there all along.
func (b *bed) stageCertificates(t *testing.T) {
	b.withNetwork(t) // without one, the control plane is not Ready, and is not touched
	eventually(t, 2*time.Minute, "the control plane is Ready", func() (bool, string) { return isReady(b.node(t, b.controlPlane)), "" })
	b.likeKubeadm(t)
	b.host(t, b.controlPlane, "kubeadm certs renew scheduler.conf")
	b.run(t, 3, "certs", "check", "--deep").printed(t, "on disk until")
	before := b.serials(t)
	b.kubectl(t, "", "-n", "default", "create", "configmap", "e2e-snapshot")
	gap := b.longestGap(t)
	o := b.must(t, "certs", "renew", "all", "--force", "--yes")
	b.kubectl(t, "", "-n", "default", "delete", "configmap", "e2e-snapshot")
	b.took("certs renew all of one control plane", o.took)
	longest := gap()
	t.Logf("| the API server was not ready for at most %s", longest)
	if longest > 2*time.Second {
		t.Errorf("the API server was away for %s", longest)
	}
	b.snapshotIsWhole(t)
	after := b.serials(t)
	for name, serial := range before {
		if renewed := after[name] != serial; renewed == (name == "ca" || strings.HasSuffix(name, "-ca") || strings.HasPrefix(name, "kubelet")) {
			t.Errorf("%s: serial %s before, %s afterwards", name, serial, after[name])
		}
	}
	b.must(t, "certs", "check", "--deep")
	b.must(t, "certs", "renew", "all", "--yes").says(t, "nothing to renew")
	b.nothingOfRenewals(t)
	b.unfinishedRenewal(t)
}

// snapshotIsWhole compares the snapshot that was taken first with the checksum that etcd has put
// behind it, and finds what was written a moment before.
func (b *bed) snapshotIsWhole(t *testing.T) {
	t.Helper()
	if _, err := b.tryHost(t, b.controlPlane, `set -e
cd "$(ls -td /var/backups/kubectl-lifecycle/certs-* | head -1)"
test "$(stat -c %a etcd.db)" = 600
test "$(head -c -32 etcd.db | sha256sum | cut -c1-64)" = "$(tail -c 32 etcd.db | od -An -v -tx1 | tr -d ' \n')"
grep -q /registry/configmaps/default/e2e-snapshot etcd.db`); err != nil {
		t.Errorf("the snapshot of etcd is not whole, or old: %v", err)
	}
}

// nothingOfRenewals: beside the backup, which holds no key of an authority, nothing is left.
func (b *bed) nothingOfRenewals(t *testing.T) {
	t.Helper()
	if left := b.host(t, b.controlPlane, `find /etc/kubernetes -name '.kubectl-lifecycle*'
		find /var/backups/kubectl-lifecycle -name 'ca.key' -o -name 'sa.key' -o -name '.unfinished*' -o -name 'front-proxy-ca.key'
		ls -d /var/lib/kubectl-lifecycle 2>/dev/null; true`); strings.TrimSpace(left) != "" {
		t.Errorf("left:\n%s", left)
	}
	if lock, err := b.tryKubectl(t, "", "-n", "kube-system", "get", "secret", "lifecycle.control-planes", "--ignore-not-found", "-o",
		"name"); err != nil || lock != "" {
		t.Errorf("the lock: %q, %v", lock, err)
	}
}

// unfinishedRenewal: a renewal whose program is killed when it has begun is found by the next
// call, and finished or taken back; what is left then is renewed.
func (b *bed) unfinishedRenewal(t *testing.T) {
	t.Helper()
	const journal = "test -e /etc/kubernetes/pki/.kubectl-lifecycle-renewal.json"
	r := b.start(t, "certs", "renew", "all", "--force", "--yes")
	eventually(t, time.Minute, "the renewal has begun", func() (bool, string) {
		_, err := b.tryHost(t, b.controlPlane, journal)
		return err == nil, r.err.String()
	})
	b.host(t, b.controlPlane, "systemctl kill --signal=KILL kubectl-lifecycle-certs.service")
	if o := r.wait(t); o.code != 1 {
		t.Errorf("exit code %d of a renewal whose program was killed:\n%s", o.code, o.stderr)
	}
	if o := b.start(t, "certs", "renew", "all", "--yes").wait(t); o.code != 0 { // it was taken back
		o.says(t, "the renewal that was interrupted on")
	}
	b.must(t, "certs", "renew", "all", "--yes")
	b.must(t, "certs", "check", "--deep")
	b.nothingOfRenewals(t)
}

// printed fails the test unless a text occurs in what was written to stdout.
func (o outcome) printed(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(o.stdout, text) {
		t.Errorf("%v: stdout does not say %q:\n%s", o.args, text, o.stdout)
	}
}

// likeKubeadm compares each field that kubeadm has.
func (b *bed) likeKubeadm(t *testing.T) {
	t.Helper()
	var theirs struct {
		Certificates []struct {
			Name     string `json:"name"`
			Expires  string `json:"expirationDate"`
			CA       string `json:"caName"`
			External bool   `json:"externallyManaged"`
			Missing  bool   `json:"missing"`
		} `json:"certificates"`
		Authorities []struct {
			Name    string `json:"name"`
			Expires string `json:"expirationDate"`
		} `json:"certificateAuthorities"`
	}
	if err := json.Unmarshal([]byte(b.host(t, b.controlPlane, "kubeadm certs check-expiration -o json")), &theirs); err != nil {
		t.Fatal(err)
	}
	o := b.must(t, "certs", "check", "--deep", "--all-nodes", "-o", "json")
	b.took("certs check --deep of three nodes", o.took)
	var ours certificates
	if err := json.Unmarshal([]byte(o.stdout), &ours); err != nil {
		t.Fatal(err)
	}
	if len(theirs.Certificates) < 10 || len(theirs.Authorities) != 3 {
		t.Fatalf("kubeadm lists %d and %d", len(theirs.Certificates), len(theirs.Authorities))
	}
	seen := map[string]string{}
	for _, c := range ours.Certificates {
		if c.Node == b.controlPlane {
			seen[c.Name] = strings.Join([]string{c.Expires, c.CA, yes(c.External), yes(c.Missing)}, " ")
		}
	}
	for _, c := range theirs.Certificates {
		if want := strings.Join([]string{c.Expires, c.CA, yes(c.External), yes(c.Missing)}, " "); seen[c.Name] != want {
			t.Errorf("%s: %q, kubeadm says %q", c.Name, seen[c.Name], want)
		}
	}
	for _, c := range theirs.Authorities {
		if !strings.HasPrefix(seen[c.Name], c.Expires) {
			t.Errorf("%s: %q, kubeadm says %q", c.Name, seen[c.Name], c.Expires)
		}
	}
	if !slices.ContainsFunc(ours.Certificates, func(c certificate) bool { return c.Node == b.worker }) {
		t.Error("nothing is told of the workers")
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// serials are those of the control plane's certificates; what is served is the same.
func (b *bed) serials(t *testing.T) map[string]string {
	t.Helper()
	serials := map[string]string{}
	for name, serial := range b.serialsOf(t, b.controlPlane) {
		serials[strings.TrimPrefix(name, b.controlPlane+" ")] = serial
	}
	return serials
}

// longestGap asks the API server every 100 ms whether it is ready, until what it returns is
// called, which says how long it was not at most.
func (b *bed) longestGap(t *testing.T) func() time.Duration {
	t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // whose certificate it is is asked elsewhere
	done := make(chan struct{})
	var asking sync.WaitGroup
	var longest time.Duration
	asking.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		last := time.Now()
		for {
			response, err := client.Get(b.config.Host + "/readyz")
			if err == nil {
				if response.StatusCode == http.StatusOK {
					longest, last = max(longest, time.Since(last)), time.Now()
				}
				_ = response.Body.Close()
			}
			select {
			case <-done:
				longest = max(longest, time.Since(last))
				return
			case <-tick.C:
			}
		}
	})
	return func() time.Duration { close(done); asking.Wait(); return longest }
}
