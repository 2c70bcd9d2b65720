// SPDX-License-Identifier: Apache-2.0

package build

// This file is the list of what the test bed builds. The versions stand in
// modules/<Module>/go.mod, which the ordinary go tool keeps honest with its
// go.sum; here stands which programs are taken out of each module.

const (
	// DefaultKubernetes is the version used when KUBERNETES_VERSION is unset.
	DefaultKubernetes = "v1.36.3"

	// FlannelModule carries flannel's Helm chart beside its code.
	FlannelModule = "github.com/flannel-io/flannel"

	// AgnhostImage is the test workload: Kubernetes' own test image, which
	// answers HTTP and dials, under the name it has upstream, so that the same
	// tests run where the node can pull it.
	AgnhostImage = "registry.k8s.io/e2e-test-images/agnhost:2.59"

	// SandboxImage is the one that kind's containerd configuration asks for;
	// kubeadm's list may name another one.
	SandboxImage = "registry.k8s.io/pause:3.10"
)

// Product is a set of programs built from one pinned module.
type Product struct {
	// Name is how the product is called in progress lines and in the cache.
	Name string
	// Module is the directory below modules/ with its go.mod and go.sum.
	Module string
	// Programs maps the file name wanted to the package that gives it.
	Programs map[string]string
	// Cgo is set where the code needs a C compiler; the result is static.
	Cgo bool
	// Version is stamped into Kubernetes' programs; empty elsewhere.
	Version string
}

// Tools are the Kubernetes programs that are also used outside of the nodes.
// They are a product of their own, because a machine that can pull the node
// image has to build only these.
func Tools(version string) Product {
	return Product{Name: "kubernetes-tools", Module: "kubernetes/" + version, Version: version,
		Programs: map[string]string{
			"kubeadm": "k8s.io/kubernetes/cmd/kubeadm",
			"kubectl": "k8s.io/kubernetes/cmd/kubectl",
		}}
}

// Servers are the Kubernetes programs that run on the nodes, and the test
// workload that comes from the same module.
func Servers(version string) Product {
	programs := map[string]string{"agnhost": "k8s.io/kubernetes/test/images/agnhost"}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet"} {
		programs[name] = "k8s.io/kubernetes/cmd/" + name
	}
	return Product{Name: "kubernetes-servers", Module: "kubernetes/" + version, Version: version, Programs: programs}
}

// Kind is the program that makes the cluster.
func Kind() Product {
	return Product{Name: "kind", Module: "kind", Programs: map[string]string{"kind": "sigs.k8s.io/kind"}}
}

// Etcd is what a control plane keeps its objects in. The real etcd image carries
// etcdctl beside etcd.
func Etcd() Product {
	return Product{Name: "etcd", Module: "etcd", Programs: map[string]string{
		"etcd":    "go.etcd.io/etcd/server/v3",
		"etcdctl": "go.etcd.io/etcd/etcdctl/v3",
	}}
}

// Kwok stands in for kubelets where a control plane has no nodes.
func Kwok() Product {
	return Product{Name: "kwok", Module: "kwok", Programs: map[string]string{"kwok": "sigs.k8s.io/kwok/cmd/kwok"}}
}

// NodeParts is everything else that goes onto a node or into its images, the
// longest build first.
func NodeParts() []Product {
	return []Product{
		{Name: "coredns", Module: "coredns", Programs: map[string]string{
			"coredns": "github.com/coredns/coredns"}},
		Etcd(),
		{Name: "containerd", Module: "containerd", Programs: map[string]string{
			"containerd":              "github.com/containerd/containerd/v2/cmd/containerd",
			"containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"ctr":                     "github.com/containerd/containerd/v2/cmd/ctr"}},
		// The udp back end of flannel is C.
		{Name: "flannel", Module: "flannel", Cgo: true, Programs: map[string]string{
			"flanneld": FlannelModule}},
		{Name: "cni-plugins", Module: "cni-plugins", Programs: cniPlugins()},
		// The flannel plugin has left that repository, and its new one is not
		// served by the module proxy: the last version that had it still works.
		{Name: "flannel-cni", Module: "flannel-cni", Programs: map[string]string{
			"flannel": "github.com/containernetworking/plugins/plugins/meta/flannel"}},
	}
}

// cniPlugins are those that kind's node image carries, and the bridge that
// flannel delegates to.
func cniPlugins() map[string]string {
	const base = "github.com/containernetworking/plugins/plugins/"
	plugins := map[string]string{"host-local": base + "ipam/host-local", "portmap": base + "meta/portmap"}
	for _, name := range []string{"bridge", "loopback", "ptp"} {
		plugins[name] = base + "main/" + name
	}
	return plugins
}
