// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// stageJoinCases: what keeps every host from joining, or pods from each other,
// is said before a token is made and instead of "works".
func (b *bed) stageJoinCases(t *testing.T) {
	b.withNetwork(t)
	t.Run("an older authority in cluster-info", b.olderAuthority)
	t.Run("no configuration for kubelets", b.noKubeletConfig)
	t.Run("a name whose node is cordoned and tainted", b.cordonedName)
	t.Run("two nodes that flannel reaches at one address", b.oneAddress)
}

// keepConfigMap restores a ConfigMap when the test ends.
func (b *bed) keepConfigMap(t *testing.T, namespace, name string) *corev1.ConfigMap {
	t.Helper()
	maps := b.client.CoreV1().ConfigMaps(namespace)
	before, err := maps.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.kubectl(t, "", "-n", namespace, "delete", "configmap", name, "--ignore-not-found")
		again := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: before.Labels,
			Annotations: before.Annotations}, Data: before.Data}
		if _, err := maps.Create(context.WithoutCancel(t.Context()), again, metav1.CreateOptions{}); err != nil {
			t.Error(err)
		}
	})
	return before.DeepCopy()
}

// refusesToJoin checks that neither a dry run nor a run goes on, and that no
// token was made.
func (b *bed) refusesToJoin(t *testing.T, texts ...string) {
	t.Helper()
	before := b.kubectl(t, "", "-n", "kube-system", "get", "secrets", "-o", "name")
	for _, args := range [][]string{{"join", "--dry-run"}, {"join"}} {
		b.run(t, 4, args...).says(t, texts...)
	}
	if after := b.kubectl(t, "", "-n", "kube-system", "get", "secrets", "-o", "name"); after != before {
		t.Errorf("Secrets before: %s, after: %s", before, after)
	}
}

func (b *bed) olderAuthority(t *testing.T) {
	info := b.keepConfigMap(t, "kube-public", "cluster-info")
	config, err := clientcmd.Load([]byte(info.Data["kubeconfig"]))
	if err != nil {
		t.Fatal(err)
	}
	right := config.Clusters[""].CertificateAuthorityData
	older := otherAuthority(t)
	b.setAuthority(t, info, older)
	b.refusesToJoin(t, "no certificate authority in cluster-info has signed the certificate of the API server",
		"kubeadm init phase bootstrap-token")
	b.setAuthority(t, info, append(older, right...))
	if o := b.run(t, 0, "join", "--dry-run"); strings.Contains(o.stderr, "authority") || strings.Count(o.stdout, "sha256:") != 2 {
		t.Errorf("with both authorities: %q, %q", o.stdout, o.stderr)
	}
}

func (b *bed) setAuthority(t *testing.T, info *corev1.ConfigMap, ca []byte) {
	t.Helper()
	config, err := clientcmd.Load([]byte(info.Data["kubeconfig"]))
	if err != nil {
		t.Fatal(err)
	}
	config.Clusters[""].CertificateAuthorityData = ca
	text, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	changed := info.DeepCopy()
	changed.ResourceVersion, changed.Data["kubeconfig"] = "", string(text)
	if _, err := b.client.CoreV1().ConfigMaps("kube-public").Update(t.Context(), changed, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// otherAuthority is a certificate authority that has signed nothing here.
func otherAuthority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func (b *bed) noKubeletConfig(t *testing.T) {
	b.keepConfigMap(t, "kube-system", "kubelet-config")
	b.kubectl(t, "", "-n", "kube-system", "delete", "configmap", "kubelet-config")
	b.refusesToJoin(t, "there is no configmap kube-system/kubelet-config", "kubeadm init phase upload-config kubelet")
}

func (b *bed) cordonedName(t *testing.T) {
	const name, cloud = "e2e-old", "node.cloudprovider.kubernetes.io/uninitialized"
	b.kubectl(t, "", "delete", "node", name, "--ignore-not-found")
	t.Cleanup(func() { b.kubectl(t, "", "delete", "node", name, "--ignore-not-found") })
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	node.Spec.Taints = []corev1.Taint{{Key: "example.com/gpu", Effect: corev1.TaintEffectNoSchedule},
		{Key: cloud, Value: "true", Effect: corev1.TaintEffectNoSchedule}}
	if _, err := b.client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	b.must(t, "cordon", name, "--reason", "new disks")
	o := b.run(t, 0, "join", "--dry-run", "--node-name", name)
	o.says(t, "the host will take it over", "node e2e-old is cordoned by ", ": new disks", "kubectl lifecycle uncordon e2e-old",
		"taint example.com/gpu:NoSchedule keeps pods away")
}

// oneAddress gives two nodes one address, as flannel's agents would that took
// the interface which is the same on every virtual machine.
func (b *bed) oneAddress(t *testing.T) {
	const key = "flannel.alpha.coreos.com/public-ip"
	for _, name := range []string{b.worker, b.worker2} {
		before := b.node(t, name).Annotations[key]
		t.Cleanup(func() {
			b.kubectl(t, "", "annotate", "node", name, "--overwrite", key+"="+before)
		})
		b.kubectl(t, "", "annotate", "node", name, "--overwrite", key+"=192.0.2.15")
	}
	o := b.run(t, 3, b.cniInstall()...)
	o.says(t, "2 nodes have flannel's public-ip 192.0.2.15", "--iface=")
	if strings.Contains(o.stdout, "nothing to do") {
		t.Errorf("it says that all is well: %q", o.stdout)
	}
}
