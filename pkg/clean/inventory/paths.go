// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"path/filepath"
	"regexp"
	"strings"
)

// The directories that are emptied but stay, because packages own them, or
// because a container runtime watches them: containerd loses its watch, or
// exits, when /etc/cni/net.d itself goes.
const (
	CNIConfDir    = "/etc/cni/net.d"
	CNIBinDir     = "/opt/cni/bin"
	CNIStateDir   = "/var/lib/cni"
	KubernetesDir = "/etc/kubernetes"
	ManifestsDir  = "/etc/kubernetes/manifests"
	PKIDir        = "/etc/kubernetes/pki"
	XtablesLock   = "/run/xtables.lock"
	// pluginDir is where the kubelet makes its directory of volume plugins.
	PluginDir = "/usr/libexec/kubernetes/kubelet-plugins"
	// VolumePluginDir and PodLogsDir are a kubelet's, unless it is told otherwise.
	VolumePluginDir = PluginDir + "/volume/exec"
	PodLogsDir      = "/var/log/pods"
	// ContainerLogsDir has links to the logs of containers (pkg/kubelet/kuberuntime, 1.36:
	// legacyContainerLogsDir).
	ContainerLogsDir = "/var/log/containers"
	// noNetworkFile is a network configuration that does nothing, while pods
	// are removed whose own network cannot be taken down.
	NoNetworkFile = CNIConfDir + "/00-kubectl-lifecycle.conflist"
	// dropIns is where an administrator's changes to the kubelet's unit lie;
	// the hold is one of them for a while.
	DropIns  = "/etc/systemd/system/kubelet.service.d"
	HoldFile = DropIns + "/99-kubectl-lifecycle-hold.conf"
)

// OwnPath is a path that only Kubernetes or a pod network uses: it goes with
// everything in it.
type OwnPath struct {
	Owner Owner
	Path  string
}

// WholePaths go before the credentials do.
func WholePaths() []OwnPath {
	return []OwnPath{
		{Flannel, "/run/flannel"},
		{Calico, "/run/calico"},
		{Calico, "/var/lib/calico"},
		{Calico, "/var/log/calico"},
		{Cilium, "/run/cilium"},
		{Cilium, "/var/lib/cilium"},
		{Antrea, "/run/antrea"},
		{Antrea, "/var/lib/antrea"},
		{Antrea, "/var/log/antrea"},
		{KubeOVN, "/var/log/kube-ovn"},
		{KubeRouter, "/var/lib/kube-router"},
		{Weave, "/var/lib/weave"},
		{Kilo, "/var/lib/kilo"}, // its private key (pkg/mesh, 0.1 to 0.7)
		{Multus, "/run/multus"},
		{Multus, "/var/lib/cni/multus"},
		{Istio, "/run/istio-cni"},
		{Kubelet, PodLogsDir},
		{Kubelet, ContainerLogsDir},
		{Kubeadm, "/etc/kubernetes/tmp"},
		{Kubeadm, "/etc/kubernetes/admin.conf"},
		{Kubeadm, "/etc/kubernetes/super-admin.conf"},
		{Kubeadm, "/etc/kubernetes/controller-manager.conf"},
		{Kubeadm, "/etc/kubernetes/scheduler.conf"},
	}
}

// CredentialPaths are what the kubelet needs to be this node again, and what
// it needs to run the pods that carry the cluster: the last to go.
func CredentialPaths(root string) []OwnPath {
	return []OwnPath{
		{Kubeadm, PKIDir},
		{Kubeadm, "/etc/kubernetes/kubelet.conf"},
		{Kubeadm, "/etc/kubernetes/bootstrap-kubelet.conf"},
		{Kubeadm, filepath.Join(root, "config.yaml")},
		{Kubeadm, filepath.Join(root, "instance-config.yaml")},
		{Kubeadm, filepath.Join(root, "kubeadm-flags.env")},
		{Kubelet, filepath.Join(root, "pki")},
	}
}

// KeptForNow are the names in the kubelet's root that stay until the
// credentials go.
func KeptForNow(root string) []string {
	var names []string
	for _, p := range CredentialPaths(root) {
		if filepath.Dir(p.Path) == filepath.Clean(root) {
			names = append(names, filepath.Base(p.Path))
		}
	}
	return names
}

// NetnsDir is where network namespaces have names.
const NetnsDir = "/run/netns"

// PodsDir is the name of the directory of pods in a kubelet's root.
const PodsDir = "pods"

// KubeletNames are those that a kubelet makes directly in its --root-dir (Kubernetes 1.36):
// pkg/kubelet/kubeletconfig/defaults.go (pods-api since 1.36), the state files of its
// managers (pkg/kubelet/cm, allocation, kuberuntime, nodeshutdown), image_manager of
// pkg/kubelet/images/pullmanager, pod_status_manager_state up to 1.32, and
// device-plugins, which is in the usual root whatever --root-dir says (k8s.io/kubelet
// pkg/apis/deviceplugin/v1beta1). Everything else there is foreign:
// config.json, say, with credentials of registries, and seccomp profiles are read by
// a kubelet and never written.
func KubeletNames() []string {
	return []string{
		PodsDir, "plugins", "plugins_registry", "plugin-containers", "pod-resources", "pods-api", "checkpoints",
		"device-plugins", "image_manager",
		"cpu_manager_state", "memory_manager_state", "dra_manager_state", "dra_health_state", "graceful_node_shutdown_state",
		"allocated_pods_state", "actuated_pods_state", "pod_status_manager_state",
	}
}

// TakenWith says with which directory or file of Kubernetes' own or of its network's a
// path of a host goes in a removal, as far as that can be told without the host; empty
// if it stays. Within says that it is below that, where foreign data may be,
// and not that itself.
func TakenWith(path string) (with string, within bool) {
	path = strings.Replace(filepath.Clean("/"+path), "/var/run/", "/run/", 1)
	owned := []string{CNIStateDir + "/networks", CNIStateDir + "/results", CNIStateDir + "/cache", CNIStateDir + "/flannel", ManifestsDir,
		DefaultDataDir + "/member"}
	for _, p := range append(WholePaths(), CredentialPaths(DefaultKubeletRoot)...) {
		owned = append(owned, p.Path)
	}
	for _, name := range KubeletNames() {
		owned = append(owned, filepath.Join(DefaultKubeletRoot, name))
	}
	for _, own := range owned {
		if path == own || strings.HasPrefix(path, own+"/") {
			return own, path != own
		}
	}
	return "", false
}

// DefaultDataDir is where kubeadm has etcd keep its data.
const DefaultDataDir = "/var/lib/etcd"

// CgroupDir is where the tree of cgroups is mounted.
const CgroupDir = "/sys/fs/cgroup"

// CredentialName reports whether a file is named as one that a kubelet keeps in its --cert-dir.
func CredentialName(name string) bool {
	return regexp.MustCompile(`^(kubelet-(client|server)-.+\.pem|kubelet\.(crt|key))$`).MatchString(name)
}
