// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"path/filepath"
	"slices"
)

// The directories that are emptied but stay, because packages own them, or
// because a container runtime watches them: containerd loses its watch, or
// exits, when /etc/cni/net.d itself goes.
const (
	cniConfDir    = "/etc/cni/net.d"
	cniBinDir     = "/opt/cni/bin"
	cniStateDir   = "/var/lib/cni"
	kubernetesDir = "/etc/kubernetes"
	manifestsDir  = "/etc/kubernetes/manifests"
	pkiDir        = "/etc/kubernetes/pki"
	xtablesLock   = "/run/xtables.lock"
	// pluginDir is where the kubelet makes its directory of volume plugins.
	pluginDir = "/usr/libexec/kubernetes/kubelet-plugins"
	// noNetworkFile is a network configuration that does nothing, while pods
	// are removed whose own network cannot be taken down.
	noNetworkFile = cniConfDir + "/00-kubectl-lifecycle.conflist"
	// dropIns is where an administrator's changes to the kubelet's unit lie;
	// the hold is one of them for a while.
	dropIns  = "/etc/systemd/system/kubelet.service.d"
	holdFile = dropIns + "/99-kubectl-lifecycle-hold.conf"
)

// ownPath is a path that only Kubernetes or a pod network uses: it goes with
// everything in it.
type ownPath struct {
	owner Owner
	path  string
}

// wholePaths go before the credentials do.
func wholePaths() []ownPath {
	return []ownPath{
		{Flannel, "/run/flannel"},
		{Calico, "/run/calico"},
		{Calico, "/var/lib/calico"},
		{Calico, "/var/log/calico"},
		{Cilium, "/run/cilium"},
		{Cilium, "/var/lib/cilium"},
		{Antrea, "/run/antrea"},
		{Antrea, "/var/log/antrea"},
		{KubeRouter, "/var/lib/kube-router"},
		{Weave, "/var/lib/weave"},
		{Kubelet, "/var/log/pods"},
		{Kubelet, "/var/log/containers"},
		{Kubeadm, "/etc/kubernetes/tmp"},
		{Kubeadm, "/etc/kubernetes/admin.conf"},
		{Kubeadm, "/etc/kubernetes/super-admin.conf"},
		{Kubeadm, "/etc/kubernetes/controller-manager.conf"},
		{Kubeadm, "/etc/kubernetes/scheduler.conf"},
	}
}

// credentialPaths are what the kubelet needs to be this node again, and what
// it needs to run the pods that carry the cluster: the last to go.
func credentialPaths(root string) []ownPath {
	return []ownPath{
		{Kubeadm, pkiDir},
		{Kubeadm, "/etc/kubernetes/kubelet.conf"},
		{Kubeadm, "/etc/kubernetes/bootstrap-kubelet.conf"},
		{Kubeadm, filepath.Join(root, "config.yaml")},
		{Kubeadm, filepath.Join(root, "instance-config.yaml")},
		{Kubeadm, filepath.Join(root, "kubeadm-flags.env")},
		{Kubelet, filepath.Join(root, "pki")},
	}
}

// keptForNow are the names in the kubelet's root that stay until the
// credentials go.
func keptForNow(root string) []string {
	var names []string
	for _, p := range credentialPaths(root) {
		if filepath.Dir(p.path) == filepath.Clean(root) {
			names = append(names, filepath.Base(p.path))
		}
	}
	return names
}

// cniConfOwner returns whose a file in /etc/cni/net.d is, by the names that
// the networks give their files.
func cniConfOwner(name string) Owner {
	return compile(
		pattern{Lifecycle, `00-kubectl-lifecycle\.conflist(\.new)?`},
		pattern{Flannel, `10-flannel\.conf(list)?`},
		pattern{Calico, `10-(calico|canal)\.conflist|calico-kubeconfig|calico-tls`},
		pattern{Cilium, `0?[0-9]-cilium(-cni)?\.conf(list)?`},
		pattern{KubeRouter, `10-kuberouter\.conf(list)?`},
		pattern{Antrea, `10-antrea\.conflist`},
		pattern{KubeOVN, `0[01]-kube-ovn\.conflist`},
		pattern{Weave, `10-weave\.conflist`},
	).owner(name)
}

// cniBinOwner returns whose a plugin in /opt/cni/bin is that comes with a pod
// network and not with the standard plugins.
func cniBinOwner(name string) Owner {
	return compile(
		pattern{Flannel, `flannel`},
		pattern{Calico, `calico(-ipam)?`},
		pattern{Cilium, `cilium-cni|cilium-mount|cilium-sysctlfix`},
		pattern{Antrea, `antrea`},
		pattern{KubeOVN, `kube-ovn`},
		pattern{Weave, `weave-(ipam|net|plugin-.+)`},
	).owner(name)
}

// ownNetwork reports whether the name of a CNI network is a pod network's: the
// name in the configuration that it writes.
func ownNetwork(name string) bool {
	return slices.Contains([]string{
		"cbr0", "k8s-pod-network", "cilium", "antrea", "kube-ovn", "weave",
	}, name)
}
