// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// stageRecoverKubelet: a worker and a control plane whose kubelets' certificates have expired
// come back, the one over ssh, the other by the commands that are printed.
func (b *bed) stageRecoverKubelet(t *testing.T) {
	slow(t)
	b.withNetwork(t)
	b.run(t, 4, "certs", "recover-kubelet", b.worker, "--ssh", "root@nowhere").says(t, "node "+b.worker+" is Ready")
	b.expire(t, b.worker2)
	b.expire(t, b.controlPlane)
	eventually(t, 3*time.Minute, "both are NotReady", func() (bool, string) {
		return !isReady(b.node(t, b.worker2)) && !isReady(b.node(t, b.controlPlane)), ""
	})
	b.sshd(t, b.worker2).trust(t)
	b.run(t, 4, "certs", "recover-kubelet", b.controlPlane, "--ssh", "root@new", "--yes").says(t,
		"this is another machine than node "+b.controlPlane)

	o := b.must(t, "certs", "recover-kubelet", b.worker2, "--ssh", "root@new", "--yes")
	b.took("certs recover-kubelet of a worker by ssh", o.took)
	b.recovered(t, b.worker2)
	b.run(t, 4, "certs", "recover-kubelet", b.worker2, "--ssh", "root@new", "--yes").says(t, "node "+b.worker2+" is Ready")

	script, err := command(t, commandLimit, "", b.plugin, "--kubeconfig="+b.kubeconfig, "certs", "recover-kubelet", b.controlPlane)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.tryHost(t, b.worker, script); err == nil {
		t.Error("the commands change another host")
	}
	start := time.Now()
	b.host(t, b.controlPlane, script)
	eventually(t, time.Minute, "the control plane is Ready", func() (bool, string) { return isReady(b.node(t, b.controlPlane)), "" })
	b.took("the same of a control plane by the printed commands", time.Since(start))
	b.recovered(t, b.controlPlane)
}

// recovered: a node is Ready with a certificate that is valid, and no token lies on its host.
func (b *bed) recovered(t *testing.T, name string) {
	t.Helper()
	if !isReady(b.node(t, name)) {
		t.Errorf("node %s is not Ready", name)
	}
	left := b.host(t, name, `ls /etc/kubernetes/bootstrap-kubelet.conf /etc/kubernetes/.kubectl-lifecycle* /var/lib/kubectl-lifecycle 2>/dev/null
openssl x509 -checkend 86400 -noout -in /var/lib/kubelet/pki/kubelet-client-current.pem >/dev/null || echo expired
ls /var/backups/kubectl-lifecycle/certs-*/kubelet.conf >/dev/null || echo 'no backup'`)
	if strings.TrimSpace(left) != "" {
		t.Errorf("on %s: %s", name, left)
	}
}

// expire gives a kubelet a certificate of the cluster's that has ended yesterday, and starts it
// again.
func (b *bed) expire(t *testing.T, name string) {
	t.Helper()
	const dir = "/etc/kubernetes/pki/"
	read := func(file string) []byte { return []byte(b.host(t, b.controlPlane, "cat "+dir+file)) }
	ca, err := tls.X509KeyPair(read("ca.crt"), read("ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{Organization: []string{"system:nodes"}, CommonName: "system:node:" + name},
		NotBefore:    time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Leaf, key.Public(), ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
	b.host(t, name, "set -e; umask 077; cd /var/lib/kubelet/pki; cat > kubelet-client-expired.pem <<'E'\n"+both+
		"E\nln -sfn /var/lib/kubelet/pki/kubelet-client-expired.pem kubelet-client-current.pem; systemctl restart kubelet")
}
