// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// DNSSelector is the label of CoreDNS that kubeadm sets; it is kube-dns' for
// the sake of those who look for it.
const DNSSelector = "k8s-app=kube-dns"

// Objects are the objects that facts were made of, for who looks at what is in
// them for one network alone.
type Objects struct {
	Nodes []*corev1.Node
	// Agents are the DaemonSets of the networks, in the order of Facts.Networks.
	Agents []*appsv1.DaemonSet
}

// Read reads what the cluster says of its network, but for its releases: about ten
// requests, however many nodes there are. Networks are known by the signs. Any
// error is of reading.
func Read(ctx context.Context, client kubernetes.Interface, signs []Sign) (Facts, error) {
	f, _, err := ReadAll(ctx, client, signs)
	return f, err
}

// ReadAll is Read with the objects.
func ReadAll(ctx context.Context, client kubernetes.Interface, signs []Sign) (Facts, Objects, error) {
	var s sources
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return s.readNodes(within, client) })
	group.Go(func() error { return s.readDaemonSets(within, client) })
	group.Go(func() error { return s.readDNS(within, client) })
	group.Go(func() error { return s.readServiceCIDRs(within, client) })
	group.Go(func() error { return s.readAdministered(within, client) })
	group.Go(func() (err error) {
		s.kubeadm, err = configMap(within, client, "kubeadm-config", "ClusterConfiguration")
		return err
	})
	group.Go(func() (err error) {
		s.proxy, err = configMap(within, client, "kube-proxy", "config.conf")
		return err
	})
	group.Go(func() error {
		s.info = clusterInfo(within, client)
		return nil
	})
	if err := group.Wait(); err != nil {
		return Facts{}, Objects{}, err
	}
	f, objects, err := s.facts(signs)
	for i := range f.Networks {
		f.Networks[i].Setting = readSetting(ctx, client, f.Networks[i])
	}
	if err == nil {
		f.Endings = readEndings(ctx, client, f, objects, signs)
	}
	return f, objects, err
}

// sources are the raw answers of the API.
type sources struct {
	nodes          []corev1.Node
	daemonSets     []appsv1.DaemonSet
	dns            []appsv1.Deployment
	serviceCIDRs   []string
	administered   []string
	kubeadm, proxy string // the configurations; empty if there are none
	info           string // the kubeconfig in cluster-info; empty if it cannot be read
}

func (s *sources) readNodes(ctx context.Context, client kubernetes.Interface) error {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	s.nodes = list.Items
	return nil
}

func (s *sources) readDaemonSets(ctx context.Context, client kubernetes.Interface) error {
	list, err := client.AppsV1().DaemonSets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list daemonsets: %w", err)
	}
	s.daemonSets = list.Items
	return nil
}

func (s *sources) readDNS(ctx context.Context, client kubernetes.Interface) error {
	list, err := client.AppsV1().Deployments(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: DNSSelector})
	if err != nil {
		return fmt.Errorf("list deployments in namespace kube-system: %w", err)
	}
	s.dns = list.Items
	return nil
}

// readAdministered lists the namespaces that enforce nothing by the label of
// administrators; none where they may not be listed.
func (s *sources) readAdministered(ctx context.Context, client kubernetes.Interface) error {
	list, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: kube.EnforceLabel + "=" + kube.EnforcePrivileged})
	switch {
	case apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("list namespaces: %w", err)
	}
	for _, n := range list.Items {
		if n.Labels[kube.EnforceLabel] == kube.EnforcePrivileged {
			s.administered = append(s.administered, n.Name)
		}
	}
	return nil
}

// readServiceCIDRs asks the API of Kubernetes 1.33 and later; before it, and
// where it may not be read, kubeadm's configuration has to do.
func (s *sources) readServiceCIDRs(ctx context.Context, client kubernetes.Interface) error {
	got, err := client.NetworkingV1().ServiceCIDRs().Get(ctx, "kubernetes", metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("get servicecidr kubernetes: %w", err)
	}
	s.serviceCIDRs = got.Spec.CIDRs
	return nil
}

// configMap reads one key of a ConfigMap of kube-system; empty if there is no
// such ConfigMap.
func configMap(ctx context.Context, client kubernetes.Interface, name, key string) (string, error) {
	got, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("get configmap kube-system/%s: %w", name, err)
	}
	return got.Data[key], nil
}

// facts reads the answers.
func (s *sources) facts(signs []Sign) (Facts, Objects, error) {
	f := Facts{Networks: detect(s.daemonSets, signs), Server: serverOf(s.info), Administered: s.administered}
	if err := s.ranges(&f); err != nil {
		return Facts{}, Objects{}, err
	}
	for i := range s.daemonSets {
		if set := &s.daemonSets[i]; set.Name == "kube-proxy" || set.Labels["k8s-app"] == "kube-proxy" {
			f.Proxy.Present = true
		}
	}
	for i := range s.nodes {
		node := &s.nodes[i]
		f.Nodes = append(f.Nodes, nodeFacts(node))
		if f.Foreign == "" {
			f.Foreign = string(kube.DistributionOf("", node))
		}
	}
	slices.SortFunc(f.Nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	for _, d := range s.dns {
		// Of several, the one that answers counts.
		if f.DNS.Name == "" || d.Status.AvailableReplicas > f.DNS.Available {
			f.DNS = DNS{Name: d.Name, Desired: kube.Wanted(d.Spec.Replicas), Available: d.Status.AvailableReplicas}
		}
	}
	return f, s.objects(f.Networks), nil
}

// objects are those that the facts were made of.
func (s *sources) objects(networks []Network) Objects {
	o := Objects{Nodes: kube.Pointers(s.nodes)}
	slices.SortFunc(o.Nodes, func(a, b *corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	for _, n := range networks {
		i := slices.IndexFunc(s.daemonSets, func(d appsv1.DaemonSet) bool { return d.Namespace == n.Namespace && d.Name == n.DaemonSet })
		o.Agents = append(o.Agents, &s.daemonSets[i])
	}
	return o
}
