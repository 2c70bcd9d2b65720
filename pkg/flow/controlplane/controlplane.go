// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Facts is what is known about a control-plane node that is to leave; its
// etcd member is looked at on the host.
type Facts struct {
	node *corev1.Node
	// Others are all other control-plane nodes.
	Others []corev1.Node
	// server is where the plugin itself reaches an API server; endpoint is
	// where the cluster's own kubelets do ("HOST:PORT").
	server, endpoint string
	// proxy is where kube-proxy does, as its ConfigMap has it; empty if that cannot be read.
	proxy string
	// runs are what is under way in the cluster.
	runs []runner.Record
}

// Read reads it.
func Read(ctx context.Context, cluster runner.Cluster, node *corev1.Node) (Facts, error) {
	f := Facts{node: node}
	if cluster.Config != nil {
		f.server = cluster.Config.Host
	}
	nodes, err := cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return f, fmt.Errorf("list nodes: %w", err)
	}
	for _, other := range nodes.Items {
		if other.Name != node.Name && kubenode.IsControlPlane(&other) {
			f.Others = append(f.Others, other)
		}
	}
	if len(f.Others) == 0 {
		return f, nil // it is refused, whatever else there is
	}
	if f.runs, err = runner.List(ctx, cluster); err != nil {
		return f, err
	}
	about, err := join.Survey(ctx, cluster.Client)
	f.endpoint = about.Endpoint
	f.proxy = proxyServer(ctx, cluster.Client)
	return f, err
}

// Decide refuses a control plane whose leaving would end the cluster, or leave
// it without an API server to ask, and warns of what will need care. It is pure.
func (f Facts) Decide() (warnings []string, err error) {
	name := f.node.Name
	ready := slices.ContainsFunc(f.Others, func(n corev1.Node) bool { return kube.NodeReady(&n) })
	switch {
	case len(f.Others) == 0:
		return nil, plan.Refuse(fmt.Errorf("node %s is the only control-plane node: removing it would end the cluster", name),
			"join another one first: 'kubeadm join' with --control-plane; nothing was changed")
	case !ready:
		return nil, plan.Refuse(fmt.Errorf("no other control-plane node than %s is Ready", name),
			"bring one back first; see: kubectl get nodes -l node-role.kubernetes.io/control-plane")
	}
	for _, run := range f.runs {
		if run.Damaged != nil {
			warnings = append(warnings, fmt.Sprintf("%v: it is not counted; %s", run.Damaged, plan.HintOf(run.Damaged)))
			continue
		}
		if slices.ContainsFunc(f.Others, func(n corev1.Node) bool { return n.Name == run.State.Node }) && run.State.Phase != wire.Aborted {
			return nil, plan.Refuse(fmt.Errorf("another control-plane node is being worked on: %s", run.State.Describe()),
				"wait until it has ended: kubectl lifecycle runs follow %s", text.Quote(run.State.Node))
		}
	}
	if host := hostOf(f.server); f.is(host) {
		return nil, plan.Refuse(fmt.Errorf("this kubeconfig reaches the cluster through node %s itself (%s)", name, f.server),
			"use another API server: --server https://%s:6443, or a kubeconfig with the control plane's common address",
			kubenode.InternalIP(&f.Others[0]))
	}
	host := hostOf(f.endpoint)
	switch {
	case f.is(host) && net.ParseIP(host) != nil:
		return nil, plan.Refuse(fmt.Errorf("all kubelets reach the API server through node %s (%s is the cluster's endpoint): they would all "+
			"lose it", name, f.endpoint),
			"give that address to another control plane first, or the kubelets and cluster-info another endpoint")
	case f.is(host):
		warnings = append(warnings, fmt.Sprintf("the cluster's endpoint %s is named like this node: see that the name leads to another "+
			"control plane before the kubelets need it", f.endpoint))
	}
	if host := hostOf(f.proxy); f.proxy != f.endpoint && f.is(host) {
		return nil, plan.Refuse(fmt.Errorf("kube-proxy on every node reaches the API server through node %s (%s in ConfigMap "+
			"kube-system/kube-proxy): Services would change no more", name, f.proxy),
			"give it the cluster's endpoint first: kubectl --namespace kube-system edit configmap kube-proxy, then: "+
				"kubectl --namespace kube-system rollout restart daemonset kube-proxy")
	}
	if len(f.Others) == 1 {
		warnings = append(warnings, fmt.Sprintf("only one control-plane node is left afterwards (%s): the cluster then survives no failure of it",
			f.Others[0].Name))
	}
	return warnings, nil
}

// proxyServer is the API server that kube-proxy's kubeconfig names, as kubeadm writes it
// (kubernetes/kubeadm#609, #905); empty where there is none.
func proxyServer(ctx context.Context, client kubernetes.Interface) string {
	cm, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kube-proxy", metav1.GetOptions{})
	if err != nil {
		return ""
	}
	config, err := clientcmd.Load([]byte(cm.Data["kubeconfig.conf"]))
	if err != nil || config.Contexts[config.CurrentContext] == nil {
		return ""
	}
	cluster := config.Clusters[config.Contexts[config.CurrentContext].Cluster]
	if cluster == nil {
		return ""
	}
	return cluster.Server
}

// is reports whether a name or address is this node's.
func (f Facts) is(host string) bool {
	return host != "" && (host == f.node.Name ||
		slices.ContainsFunc(f.node.Status.Addresses, func(a corev1.NodeAddress) bool { return a.Address == host }))
}

// hostOf is the host of a URL, or of HOST:PORT.
func hostOf(server string) string {
	if u, err := url.Parse(server); err == nil && u.Host != "" {
		return u.Hostname()
	}
	if host, _, err := net.SplitHostPort(server); err == nil {
		return host
	}
	return server
}
