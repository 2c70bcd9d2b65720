// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
)

// criSocketAnnotation is where kubeadm up to 1.35 notes the runtime's socket
// (kubernetes/kubernetes#135742 moved it to a file on the host).
const criSocketAnnotation = "kubeadm.alpha.kubernetes.io/cri-socket"

// hostFacts reads what the cluster knows about a node's host: it makes the
// difference between "looks like ours" and "is ours" there.
func hostFacts(ctx context.Context, client kubernetes.Interface, node *corev1.Node) (clean.Facts, error) {
	facts := clean.Facts{Node: node.Name, CRISocket: node.Annotations[criSocketAnnotation]}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return facts, fmt.Errorf("list nodes: %w", err)
	}
	facts.ControlPlane = isControlPlane(node)
	for _, n := range nodes.Items {
		if facts.ControlPlane && n.Name != node.Name && isControlPlane(&n) {
			facts.ControlPlanes = append(facts.ControlPlanes, internalIP(&n))
		}
		facts.PodCIDRs = append(facts.PodCIDRs, n.Spec.PodCIDRs...)
		for _, address := range n.Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				facts.NodeIPs = append(facts.NodeIPs, address.Address)
			}
		}
	}
	pods, services, err := kubeadmNetworks(ctx, client)
	if err != nil {
		return facts, err
	}
	if facts.IPVSExclude, err = proxyExcludes(ctx, client); err != nil {
		return facts, err
	}
	facts.PodCIDRs = sortedUnique(append(facts.PodCIDRs, pods...))
	facts.ServiceCIDRs = sortedUnique(services)
	facts.NodeIPs = sortedUnique(facts.NodeIPs)
	return facts, nil
}

// kubeadmNetworks reads podSubnet and serviceSubnet from kubeadm's own
// configuration; each is a comma-separated list of one or two networks.
func kubeadmNetworks(ctx context.Context, client kubernetes.Interface) (pods, services []string, err error) {
	config, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kubeadm-config", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("get configmap kube-system/kubeadm-config: %w", err)
	}
	var cluster struct {
		Networking struct {
			PodSubnet     string `json:"podSubnet"`
			ServiceSubnet string `json:"serviceSubnet"`
		} `json:"networking"`
	}
	if err := yaml.Unmarshal([]byte(config.Data["ClusterConfiguration"]), &cluster); err != nil {
		return nil, nil, fmt.Errorf("parse ClusterConfiguration in configmap kube-system/kubeadm-config: %w", err)
	}
	return splitList(cluster.Networking.PodSubnet), splitList(cluster.Networking.ServiceSubnet), nil
}

// proxyExcludes reads from kube-proxy's configuration, as kubeadm keeps it, in which
// networks it leaves virtual services of IPVS alone.
func proxyExcludes(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	config, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kube-proxy", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get configmap kube-system/kube-proxy: %w", err)
	}
	var proxy struct {
		IPVS struct {
			ExcludeCIDRs []string `json:"excludeCIDRs"`
		} `json:"ipvs"`
	}
	if err := yaml.Unmarshal([]byte(config.Data["config.conf"]), &proxy); err != nil {
		return nil, fmt.Errorf("parse config.conf in configmap kube-system/kube-proxy: %w", err)
	}
	return proxy.IPVS.ExcludeCIDRs, nil
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func sortedUnique(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

// encode is the form in which an order travels to the host.
func encode(facts clean.Facts, choices clean.Choices) (json.RawMessage, error) {
	raw, err := json.Marshal(clean.Order{Facts: facts, Choices: choices})
	if err != nil {
		return nil, fmt.Errorf("encode the order: %w", err)
	}
	return raw, nil
}
