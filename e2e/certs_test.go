// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// certificates is what "certs check -o json" prints.
type certificates struct {
	Certificates []certificate `json:"certificates"`
}

type certificate struct {
	Node     string `json:"node"`
	Name     string `json:"name"`
	Expires  string `json:"expires"`
	CA       string `json:"ca"`
	External bool   `json:"externallyManaged"`
	Missing  bool   `json:"missing"`
}

// stageCertificates: the table is kubeadm's and more, and a certificate that was renewed and
// is not in use is told.
func (b *bed) stageCertificates(t *testing.T) {
	b.likeKubeadm(t)
	b.host(t, b.controlPlane, "kubeadm certs renew scheduler.conf")
	b.run(t, 3, "certs", "check", "--deep").printed(t, "on disk until")
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
