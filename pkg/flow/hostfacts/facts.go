// SPDX-License-Identifier: Apache-2.0

package hostfacts

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// criSocketAnnotation is where kubeadm up to 1.35 notes the runtime's socket
// (kubernetes/kubernetes#135742 moved it to a file on the host).
const criSocketAnnotation = "kubeadm.alpha.kubernetes.io/cri-socket"

// Read reads what the cluster knows about a node's host: it makes the
// difference between "looks like ours" and "is ours" there.
func Read(ctx context.Context, client kubernetes.Interface, node *corev1.Node) (inventory.Facts, error) {
	shared, err := ReadShared(ctx, client)
	if err != nil {
		return inventory.Facts{Node: node.Name}, err
	}
	return shared.Of(node), nil
}

// Shared is what a cluster knows about the hosts of all nodes, read once.
type Shared struct {
	nodes                []corev1.Node
	configured           Networks
	allocated            []netip.Prefix
	excludes, apiServers []string
	announced            []string
	announcedUnread      bool
}

// ReadShared reads it.
func ReadShared(ctx context.Context, client kubernetes.Interface) (Shared, error) {
	var s Shared
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return s, fmt.Errorf("list nodes: %w", err)
	}
	s.nodes = list.Items
	if s.configured, err = ReadNetworks(ctx, client); err != nil {
		return s, err
	}
	if len(s.configured.Pods) == 0 {
		managers, err := client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx,
			metav1.ListOptions{LabelSelector: "component=kube-controller-manager"})
		if err != nil {
			return s, fmt.Errorf("list the controller managers in kube-system: %w", err)
		}
		s.allocated = allocatedNetworks(list.Items, managers.Items)
	}
	if s.excludes, err = proxyExcludes(ctx, client); err != nil {
		return s, err
	}
	s.announced, err = readAnnounced(ctx, client, list.Items)
	if apierrors.IsForbidden(err) {
		s.announcedUnread, err = true, nil
	}
	if err != nil {
		return s, err
	}
	// They are only looked for on the host, whose own kubeconfig may lead to a proxy of its.
	if s.apiServers, err = runner.APIServers(ctx, client); apierrors.IsForbidden(err) {
		err = nil
	}
	return s, err
}

// Of are the facts about the host of one node. It is pure.
func (s Shared) Of(node *corev1.Node) inventory.Facts {
	facts := inventory.Facts{Node: node.Name, CRISocket: node.Annotations[criSocketAnnotation], ControlPlane: kubenode.IsControlPlane(node),
		IPVSExclude: s.excludes, Announced: s.announced, AnnouncedUnread: s.announcedUnread, APIServers: s.apiServers,
		Registered: node.CreationTimestamp.UTC()}
	for i := range s.nodes {
		if n := &s.nodes[i]; facts.ControlPlane && n.Name != node.Name && kubenode.IsControlPlane(n) {
			facts.ControlPlanes = append(facts.ControlPlanes, kubenode.InternalIP(n))
		}
	}
	pods := podNetworks(node, s.configured.Pods, s.allocated)
	facts.PodCIDRs, facts.ServiceCIDRs = texts(pods), texts(s.configured.Services)
	facts.NodeIPs = nodeAddresses(s.nodes, slices.Concat(pods, s.configured.Services))
	facts.NodePods = nodePods(s.nodes, facts.NodeIPs)
	return facts
}

// Warnings say what follows for a host if the load balancers' addresses could
// not be read: they are only looked for, so that is no reason to stop.
func Warnings(facts inventory.Facts) []string {
	if !facts.AnnouncedUnread {
		return nil
	}
	return []string{"you may not list services in all namespaces: an address of a load balancer that was given to a link of this host is " +
		"not recognized and stays there, and the verdict is clean-but, since it was not looked at; " +
		"compare `ip address` on the host with your load balancers' addresses"}
}

// readAnnounced reads which addresses the cluster's load balancers have.
func readAnnounced(ctx context.Context, client kubernetes.Interface, nodes []corev1.Node) ([]string, error) {
	services, err := client.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	return balancerAddresses(services.Items, nodes), nil
}

// ReadNetworks reads the cluster's networks from kubeadm's own configuration.
func ReadNetworks(ctx context.Context, client kubernetes.Interface) (Networks, error) {
	config, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kubeadm-config", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Networks{}, nil
	}
	if err != nil {
		return Networks{}, fmt.Errorf("get configmap kube-system/kubeadm-config: %w", err)
	}
	found, err := parseNetworks(config.Data["ClusterConfiguration"])
	if err != nil {
		return Networks{}, parseError("ClusterConfiguration", "kubeadm-config", err)
	}
	return found, nil
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
	excludes, err := parseExcludes(config.Data["config.conf"])
	if err != nil {
		return nil, parseError("config.conf", "kube-proxy", err)
	}
	return excludes, nil
}
