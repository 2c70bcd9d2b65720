// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// endpoints returns how a host reaches the API servers, and the CA to check
// them with: the control-plane endpoint of cluster-info first, then every
// server's own address. Never the ClusterIP (it ends with kube-proxy's rules)
// and never the address in the laptop's kubeconfig (it may be a tunnel).
func (c Cluster) endpoints(ctx context.Context) (urls []string, ca string, err error) {
	root, err := c.Client.CoreV1().ConfigMaps(c.RunNamespace()).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	if err != nil {
		return nil, "", fmt.Errorf("get configmap %s/kube-root-ca.crt: %w", c.RunNamespace(), err)
	}
	info, err := c.Client.CoreV1().ConfigMaps(metav1.NamespacePublic).Get(ctx, "cluster-info", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return nil, "", fmt.Errorf("get configmap %s/cluster-info: %w", metav1.NamespacePublic, err)
	}
	if err == nil {
		urls = append(urls, serversOf(info.Data["kubeconfig"])...)
	}
	published, err := APIServers(ctx, c.Client)
	if err != nil {
		return nil, "", err
	}
	urls = unique(append(urls, published...))
	if len(urls) == 0 {
		return nil, "", plan.Refuse(errors.New("no address of an API server is known in the cluster"),
			"look at: kubectl get endpointslices -n default -l %s=kubernetes", discoveryv1.LabelServiceName)
	}
	return urls, root.Data["ca.crt"], nil
}

// APIServers returns the URLs of the API servers, each at its own address, as they have
// published them.
func APIServers(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	published, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=kubernetes",
	})
	if err != nil {
		return nil, fmt.Errorf("list endpointslices of service default/kubernetes: %w", err)
	}
	return serverURLs(published.Items), nil
}

// lastOf puts the addresses of a node last: an API server there ends with it.
func lastOf(urls []string, node *corev1.Node) []string {
	own := func(url string) bool {
		return slices.ContainsFunc(node.Status.Addresses, func(a corev1.NodeAddress) bool {
			return strings.HasPrefix(url, "https://"+net.JoinHostPort(a.Address, ""))
		})
	}
	sorted := slices.Clone(urls)
	slices.SortStableFunc(sorted, func(a, b string) int {
		switch {
		case own(a) == own(b):
			return 0
		case own(a):
			return 1
		}
		return -1
	})
	return sorted
}

func serversOf(kubeconfig string) []string {
	config, err := clientcmd.Load([]byte(kubeconfig))
	if err != nil {
		return nil
	}
	var urls []string
	for _, cluster := range config.Clusters {
		if cluster.Server != "" {
			urls = append(urls, cluster.Server)
		}
	}
	return urls
}

func serverURLs(items []discoveryv1.EndpointSlice) []string {
	var urls []string
	for _, slice := range items {
		for _, port := range slice.Ports {
			if port.Port == nil {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				for _, address := range endpoint.Addresses {
					urls = append(urls, "https://"+net.JoinHostPort(address, strconv.Itoa(int(*port.Port))))
				}
			}
		}
	}
	slices.Sort(urls)
	return urls
}

// unique drops repetitions and keeps the order.
func unique(all []string) []string {
	var out []string
	for _, s := range all {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
