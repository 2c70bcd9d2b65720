// SPDX-License-Identifier: Apache-2.0

package newcontrolplane

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/certificates"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Facts are what is known about the control planes that there are.
type Facts struct {
	Cluster join.Cluster
	// Nodes are the control planes, by name.
	Nodes []corev1.Node
}

// Read reads them, and refuses a cluster in which another control plane is joining.
func Read(ctx context.Context, client kubernetes.Interface, cluster join.Cluster) (Facts, error) {
	f := Facts{Cluster: cluster}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return f, fmt.Errorf("list nodes: %w", err)
	}
	for _, n := range nodes.Items {
		if kubenode.IsControlPlane(&n) {
			f.Nodes = append(f.Nodes, n)
		}
	}
	slices.SortFunc(f.Nodes, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	return f, certificates.Vacant(ctx, client)
}

// Choice is the control plane whose host is asked.
type Choice struct {
	Node corev1.Node
	// Cluster is the cluster that it is of.
	Cluster join.Cluster
	// Others are addresses of the other control planes.
	Others []string
	// Warnings are what the person should know before another one joins.
	Warnings []string
}

// Choose names the control plane whose host is asked for the certificates. It refuses
// (class Refused) a cluster without a common endpoint, in which every control plane but
// the first would hang on the first (kubernetes/kubeadm#2997), and one with a control
// plane that is not Ready, since etcd needs most of its members. It is pure.
func (f Facts) Choose() (Choice, error) {
	if f.Cluster.ControlPlaneEndpoint == "" {
		return Choice{}, plan.Refuse(fmt.Errorf("the cluster has no controlPlaneEndpoint: all nodes would go on using the address of the first "+
			"control plane (%s), and be lost with it", f.Cluster.Endpoint),
			"give it an address or name that leads to every control plane; the steps are in docs/controlplanes.md")
	}
	if len(f.Nodes) == 0 {
		return Choice{}, plan.Refuse(fmt.Errorf("the cluster shows no control-plane node, whose host would have to share its certificates"),
			"where a provider runs the control planes, the provider adds another one")
	}
	c := Choice{Cluster: f.Cluster}
	host, _, _ := net.SplitHostPort(f.Cluster.ControlPlaneEndpoint)
	for _, n := range f.Nodes {
		if !kube.NodeReady(&n) {
			return Choice{}, plan.Refuse(fmt.Errorf("control plane %s is not Ready: etcd must not get another member while one is away", n.Name),
				"bring it back; or, if its host is gone for good: %s",
				text.Command("kubectl", "lifecycle", "remove", n.Name, "--node-lost"))
		}
		if slices.ContainsFunc(n.Status.Addresses, func(a corev1.NodeAddress) bool { return a.Address == host && net.ParseIP(host) != nil }) {
			c.Warnings = append(c.Warnings, fmt.Sprintf("the cluster's endpoint %s is the address of %s: without that host no node reaches an "+
				"API server, however many control planes there are", f.Cluster.ControlPlaneEndpoint, n.Name))
		}
	}
	if len(f.Nodes)%2 == 1 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("with %d control planes etcd survives the loss of %d of them, no more than with %d",
			len(f.Nodes)+1,
			len(f.Nodes)/2, len(f.Nodes)))
	}
	c.Node = f.Nodes[0]
	for _, n := range f.Nodes[1:] {
		c.Others = append(c.Others, kubenode.InternalIP(&n))
	}
	return c, nil
}
