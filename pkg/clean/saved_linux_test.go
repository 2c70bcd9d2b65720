// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// What a join is given is on the host before it: a command with the endpoint and a token, a
// configuration of kubeadm's that Cluster API writes, the data that a cloud gives its host.
func TestWhatWasWrittenForTheJoinIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		const command = "kubeadm join 192.0.2.200:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:00"
		paths := []string{"/root/join.sh", "/opt/join.sh", "/opt/installer/join.sh", "/run/kubeadm/kubeadm-join-config.yaml",
			"/srv/join.sh", "/tmp/join.sh", "/var/lib/cloud/instances/i-1/user-data.txt"}
		for _, path := range paths {
			w.put(path, command)
		}
		w.put("/var/lib/app/notes", command) // a day is not enough for data of programs
		w.put("/opt/other.sh", strings.ReplaceAll(command, "192.0.2.200", "192.0.2.201"))
		w.script("born; old")
		before := w.dump()
		w.join()
		verdict := w.remove()
		var want []string
		for _, path := range append(paths, "/var/lib/app/notes") {
			want = append(want, "file "+path)
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
		w.same(before)
	})
}

// Saved while the host was a node, a packet filter comes back with the next boot.
func TestASavedPacketFilterThatBringsTheClusterBackIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.put("/etc/exports", "/srv/data 10.244.0.0/16(rw)")
		w.put("/etc/iptables/rules.v6", "*filter\n:INPUT DROP [0:0]\nCOMMIT")
		w.script("born; old")
		w.join()
		w.script("iptables-nft-save > etc/iptables/rules.v4; nft list ruleset 2> /dev/null > etc/nftables.conf")
		before := w.script("sha256sum etc/exports etc/iptables/* etc/nftables.conf")
		verdict := w.remove()
		want := []string{"file /etc/exports", "file /etc/iptables/rules.v4", "file /etc/nftables.conf"}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
		if after := w.script("sha256sum etc/exports etc/iptables/* etc/nftables.conf"); after != before {
			w.Error("one of them was changed")
		}
	})
}

// A list of blocked names has some MB: it is read, and what is beyond a bound makes no host dirty.
func TestALargeFileOfSettingsIsReadOrNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(`mkdir -p etc/dnsmasq.d; seq -f '0.0.0.0 blocked-name-%g.example.com' 60000 > etc/hosts
echo '10.244.2.7 registry' >> etc/hosts; cp etc/hosts etc/dnsmasq.d/large.conf; sed -i '$d' etc/dnsmasq.d/large.conf
for i in 1 2 3 4; do cat etc/dnsmasq.d/large.conf; done > etc/dnsmasq.conf`)
		verdict := w.remove()
		want := []string{"file /etc/dnsmasq.conf", "file /etc/hosts"}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
	})
}

// The key of a cluster's authority is the cluster, in whatever copy of its certificates.
func TestACopyOfAKeyOfTheClustersIsNamed(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	hosttest.Must(t, err)
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	hosttest.Must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	hosttest.Must(t, err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	hosttest.Must(t, err)
	text := func(kind string, raw []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
	}
	inWorld(t, func(w *world) {
		w.join()
		w.put("/etc/kubernetes/pki/ca.crt", text("CERTIFICATE", raw))
		w.put("/etc/kubernetes/pki/sa.pub", text("PUBLIC KEY", public))
		w.put("/etc/kubernetes/pki.bak/ca.key", text("PRIVATE KEY", private))
		w.put("/etc/kubernetes-backup/sa.key", text("PRIVATE KEY", private))
		other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		hosttest.Must(w.T, err)
		private, err := x509.MarshalPKCS8PrivateKey(other)
		hosttest.Must(w.T, err)
		w.put("/etc/ssl/private/mine.key", text("PRIVATE KEY", private))
		verdict := w.remove()
		want := []string{"file /etc/kubernetes-backup/sa.key", "file /etc/kubernetes/pki.bak/ca.key"}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
	})
}
