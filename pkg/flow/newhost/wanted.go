// SPDX-License-Identifier: Apache-2.0

package newhost

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// configs are kubeadm's three configurations that say what a node has to be, as YAML;
// one that is not there is empty.
type configs struct{ cluster, kubelet, proxy string }

// Wanted reads what a cluster wants of its nodes: kubeadm's version and registry, the
// kubelets' cgroup driver, kube-proxy's mode, the network, and who is a node already.
func Wanted(ctx context.Context, client kubernetes.Interface) (prep.Wanted, error) {
	var c configs
	for _, one := range []struct {
		name, key string
		into      *string
	}{{"kubeadm-config", "ClusterConfiguration", &c.cluster}, {"kubelet-config", "kubelet", &c.kubelet}, {"kube-proxy",
		"config.conf", &c.proxy}} {
		config, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, one.name, metav1.GetOptions{})
		switch {
		case err == nil:
			*one.into = config.Data[one.key]
		case !apierrors.IsNotFound(err):
			return prep.Wanted{}, fmt.Errorf("get configmap %s/%s: %w", metav1.NamespaceSystem, one.name, err)
		}
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return prep.Wanted{}, fmt.Errorf("list nodes: %w", err)
	}
	sets, err := client.AppsV1().DaemonSets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil && !apierrors.IsForbidden(err) {
		return prep.Wanted{}, fmt.Errorf("list daemonsets: %w", err)
	}
	var agents []agent
	if err == nil {
		for _, s := range sets.Items {
			agents = append(agents, agent{s.Namespace, s.Name})
		}
	}
	return decide(c, nodes.Items, agents)
}

// WantedBy is what three configurations want of a node, each as YAML or JSON, of a cluster
// that has no nodes yet. One that is empty has kubeadm's defaults. It is pure.
func WantedBy(cluster, kubelet, proxy string) (prep.Wanted, error) {
	return decide(configs{cluster: cluster, kubelet: kubelet, proxy: proxy}, nil, nil)
}

// decide is Wanted without the cluster. It is pure.
func decide(c configs, nodes []corev1.Node, agents []agent) (w prep.Wanted, err error) {
	var cluster struct {
		KubernetesVersion string `json:"kubernetesVersion"`
		ImageRepository   string `json:"imageRepository"`
		Networking        struct {
			PodSubnet     string `json:"podSubnet"`
			ServiceSubnet string `json:"serviceSubnet"`
		} `json:"networking"`
		Etcd struct {
			Local struct {
				DataDir string `json:"dataDir"`
			} `json:"local"`
			External *struct{} `json:"external"`
		} `json:"etcd"`
	}
	var kubelet kubeletConfig
	var proxy struct {
		Mode string `json:"mode"`
	}
	for _, one := range []struct {
		name, text string
		into       any
	}{{"kubeadm-config", c.cluster, &cluster}, {"kubelet-config", c.kubelet, &kubelet}, {"kube-proxy", c.proxy, &proxy}} {
		if err := yaml.Unmarshal([]byte(one.text), one.into); err != nil {
			return w, fmt.Errorf("read configmap %s/%s: %w", metav1.NamespaceSystem, one.name, err)
		}
	}
	w = prep.Wanted{
		Kubernetes: cluster.KubernetesVersion, CgroupDriver: cmp.Or(kubelet.CgroupDriver, "systemd"), ProxyMode: proxy.Mode,
		IPv6: strings.Contains(cluster.Networking.PodSubnet, ":"), SwapAllowed: allowed(kubelet.FailSwapOn),
		ProtectKernelDefaults: kubelet.ProtectKernelDefaults, ReservedCgroups: kubelet.reserved(),
		Pods: networksOf(cluster.Networking.PodSubnet), Services: networksOf(cluster.Networking.ServiceSubnet),
		EtcdDir: cluster.Etcd.Local.DataDir, ExternalEtcd: cluster.Etcd.External != nil,
		CgroupV1Allowed: allowed(kubelet.FailCgroupV1), ResolvConf: kubelet.ResolvConf,
		SandboxImage: sandboxImage(cluster.ImageRepository, nodes), Network: network(agents),
	}
	for _, n := range nodes {
		w.Nodes = append(w.Nodes, prep.Identity{Node: n.Name, MachineID: n.Status.NodeInfo.MachineID, SystemUUID: n.Status.NodeInfo.SystemUUID})
	}
	return w, w.Validate()
}

// networksOf are the networks of a field, one a family. What is none is not compared with any.
func networksOf(subnets string) (all []string) {
	for one := range strings.SplitSeq(subnets, ",") {
		if n, err := netip.ParsePrefix(strings.TrimSpace(one)); err == nil {
			all = append(all, n.String())
		}
	}
	return all
}

// kubeletConfig is what of the cluster's kubelet-config a host has to fit.
type kubeletConfig struct {
	CgroupDriver          string   `json:"cgroupDriver"`
	FailSwapOn            *bool    `json:"failSwapOn"`
	FailCgroupV1          *bool    `json:"failCgroupV1"`
	ResolvConf            *string  `json:"resolvConf"`
	ProtectKernelDefaults bool     `json:"protectKernelDefaults"`
	Enforce               []string `json:"enforceNodeAllocatable"`
	KubeReservedCgroup    string   `json:"kubeReservedCgroup"`
	SystemReservedCgroup  string   `json:"systemReservedCgroup"`
}

// reserved are the cgroups that the kubelet limits, and therefore does not start without.
func (k kubeletConfig) reserved() (all []string) {
	for _, one := range []struct{ what, cgroup string }{{"kube-reserved", k.KubeReservedCgroup}, {"system-reserved", k.SystemReservedCgroup}} {
		enforced := slices.Contains(k.Enforce, one.what) || slices.Contains(k.Enforce, one.what+"-compressible")
		if enforced && one.cgroup != "" {
			all = append(all, one.cgroup)
		}
	}
	return all
}

// allowed reports whether what a kubelet fails on by default is allowed.
func allowed(fail *bool) bool { return fail != nil && !*fail }

// sandboxImage is the pause image of the cluster's registry that most nodes have. Which
// one kubeadm wants is written nowhere in a cluster, but its nodes run it. The control
// planes are asked first: what a node says of its images is its own word, and its role is
// not (NodeRestriction).
func sandboxImage(registry string, nodes []corev1.Node) string {
	var leading []corev1.Node
	for _, n := range nodes {
		if _, leads := n.Labels["node-role.kubernetes.io/control-plane"]; leads {
			leading = append(leading, n)
		}
	}
	registry = cmp.Or(registry, "registry.k8s.io")
	return cmp.Or(mostHave(registry, leading), mostHave(registry, nodes))
}

// mostHave is the pause image of a registry that most of some nodes have; each counts once.
func mostHave(registry string, nodes []corev1.Node) string {
	count, tag := map[string]int{}, regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	for _, n := range nodes {
		has := map[string]bool{}
		for _, image := range n.Status.Images {
			for _, name := range image.Names {
				// A node may claim to have any image, any number of times.
				if rest, is := strings.CutPrefix(name, registry+"/pause:"); is && tag.MatchString(rest) && !has[name] {
					has[name] = true
					count[name]++
				}
			}
		}
	}
	names := slices.Sorted(maps.Keys(count))
	if len(names) == 0 {
		return ""
	}
	return slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(count[a], count[b]) })
}

// agent is a DaemonSet.
type agent struct{ namespace, name string }

// network is the pod network that runs, by its agents' DaemonSet. It counts in the
// namespaces where networks are alone: a tenant may give a DaemonSet any name.
func network(agents []agent) string {
	for _, known := range networks.Known() {
		if slices.ContainsFunc(agents, func(a agent) bool {
			return a.name == known.DaemonSet && (a.namespace == metav1.NamespaceSystem || slices.Contains(known.Namespaces, a.namespace))
		}) {
			return known.Name
		}
	}
	return ""
}
