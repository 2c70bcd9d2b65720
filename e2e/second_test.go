// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// secondConfig is how a second cluster is made on one more blank host. Its
// kubelets and kube-proxies are told what kind tells its own: they are in
// containers.
const secondConfig = `
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {ignorePreflightErrors: [SystemVerification], taints: []}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: %[1]s
controlPlaneEndpoint: %[2]s:6443
networking: {podSubnet: 10.245.0.0/16, serviceSubnet: 10.97.0.0/16}
apiServer: {certSANs: [%[3]s]}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
cgroupRoot: /kubelet
failSwapOn: false
failCgroupV1: false
imageGCHighThresholdPercent: 100
evictionHard: {nodefs.available: "0%%", nodefs.inodesFree: "0%%", imagefs.available: "0%%"}
oomScoreAdj: 0
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
oomScoreAdj: 0
conntrack: {maxPerCore: 0}
`

// second is the context of the second cluster.
const second = "second"

// anotherCluster makes a second cluster of one control plane, with a network,
// and returns the bed as it is seen from there; both beds' plugins know both
// contexts.
func (b *bed) anotherCluster(t *testing.T) *bed {
	t.Helper()
	name := b.name + "-second"
	start := time.Now()
	b.makeBlank(t, name)
	address := strings.TrimSpace(b.host(t, name, "hostname -i | tr ' ' '\n' | grep -F . | head -1"))
	version := strings.TrimSpace(b.host(t, name, "kubeadm version -o short"))
	b.host(t, name, "cat > /root/init.yaml <<'E'\n"+fmt.Sprintf(secondConfig, version, name,
		address)+"E\nkubeadm init --config /root/init.yaml >&2")
	other := *b
	other.controlPlane, other.worker, other.worker2 = name, name, name
	other.kubeconfig = b.twoContexts(t, b.host(t, name, "cat /etc/kubernetes/admin.conf"), name, address)
	var err error
	if other.config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: other.kubeconfig},
		&clientcmd.ConfigOverrides{CurrentContext: second}).ClientConfig(); err != nil {
		t.Fatal(err)
	}
	other.config.QPS, other.config.WarningHandler = -1, rest.NoWarnings{}
	if other.client, err = kubernetes.NewForConfig(other.config); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the controller manager has given the node its part of the pod network", func() (bool, string) {
		node := other.node(t, name)
		return node != nil && node.Spec.PodCIDR != "", "it has not"
	})
	other.must(t, other.cniInstall("--context", second)...)
	b.took("a second cluster", time.Since(start))
	return &other
}

// twoContexts writes a kubeconfig with the bed's context and one more, the
// current one.
func (b *bed) twoContexts(t *testing.T, admin, name, address string) string {
	t.Helper()
	one, err := clientcmd.LoadFromFile(b.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	two, err := clientcmd.Load([]byte(strings.ReplaceAll(admin, name+":6443", address+":6443")))
	if err != nil {
		t.Fatal(err)
	}
	context := two.Contexts[two.CurrentContext]
	one.Clusters[second], one.AuthInfos[second] = two.Clusters[context.Cluster], two.AuthInfos[context.AuthInfo]
	context.Cluster, context.AuthInfo = second, second
	one.Contexts[second], one.CurrentContext = context, second
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*one, path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
