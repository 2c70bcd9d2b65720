// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// ranges reads the pods' and the Services' ranges: kubeadm's configuration is
// what the cluster was made with; kube-proxy's is what remains where there is
// none.
func (s *sources) ranges(f *Facts) error {
	var kubeadm struct {
		Networking struct {
			PodSubnet     string `json:"podSubnet"`
			ServiceSubnet string `json:"serviceSubnet"`
		} `json:"networking"`
		ControlPlaneEndpoint string `json:"controlPlaneEndpoint"`
		KubernetesVersion    string `json:"kubernetesVersion"`
	}
	if err := yaml.Unmarshal([]byte(s.kubeadm), &kubeadm); err != nil {
		return fmt.Errorf("read configmap kube-system/kubeadm-config: %w", err)
	}
	var proxy struct {
		ClusterCIDR string `json:"clusterCIDR"`
		Mode        string `json:"mode"`
	}
	if err := yaml.Unmarshal([]byte(s.proxy), &proxy); err != nil {
		return fmt.Errorf("read configmap kube-system/kube-proxy: %w", err)
	}
	f.Endpoint, f.Proxy.Mode = text.Line(kubeadm.ControlPlaneEndpoint), text.Line(proxy.Mode)
	f.Kubernetes = text.Line(kubeadm.KubernetesVersion)
	var err error
	read := func(text, source string) []netip.Prefix {
		prefixes, bad := cidr.Parse(text)
		if bad != nil && err == nil {
			err = fmt.Errorf("read %s: %w", source, bad)
		}
		return prefixes
	}
	const podSubnet, clusterCIDR = "podSubnet of configmap kube-system/kubeadm-config", "clusterCIDR of configmap kube-system/kube-proxy"
	const serviceSubnet, serviceCIDR = "serviceSubnet of configmap kube-system/kubeadm-config", "servicecidr kubernetes"
	f.Proxy.CIDRs = read(proxy.ClusterCIDR, clusterCIDR)
	f.Pods = firstRange(Range{read(kubeadm.Networking.PodSubnet, podSubnet), podSubnet}, Range{f.Proxy.CIDRs, clusterCIDR})
	f.Services = firstRange(Range{read(strings.Join(s.serviceCIDRs, ","), serviceCIDR), serviceCIDR},
		Range{read(kubeadm.Networking.ServiceSubnet, serviceSubnet), serviceSubnet})
	return err
}

func firstRange(ranges ...Range) Range {
	for _, r := range ranges {
		if len(r.CIDRs) > 0 {
			return r
		}
	}
	return Range{}
}

// clusterInfo is the kubeconfig that kubeadm publishes for hosts that join; empty
// where there is none, or where it may not be read: it is for people to compare.
func clusterInfo(ctx context.Context, client kubernetes.Interface) string {
	got, err := client.CoreV1().ConfigMaps(metav1.NamespacePublic).Get(ctx, "cluster-info", metav1.GetOptions{})
	if err != nil {
		return ""
	}
	return got.Data["kubeconfig"]
}

// serverOf is the address of the API server in a kubeconfig.
func serverOf(kubeconfig string) string {
	var c struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
			} `json:"cluster"`
		} `json:"clusters"`
	}
	if yaml.Unmarshal([]byte(kubeconfig), &c) != nil || len(c.Clusters) == 0 {
		return ""
	}
	return text.Line(c.Clusters[0].Cluster.Server)
}
