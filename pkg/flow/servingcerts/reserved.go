// SPDX-License-Identifier: Apache-2.0

package servingcerts

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/certcheck"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// Reserved are the names and addresses that mean the cluster, and never one node: a host that
// has a certificate for one may pass as the API server, or as what a Service leads to.
type Reserved struct {
	// exact are names and addresses, with what each is.
	exact map[string]string
	// networks are those of pods and Services, with what each is.
	networks map[netip.Prefix]string
	// domain is the one of Services.
	domain string
	// presented are the names of the API servers' certificates. A control plane's own
	// name and address are among them, and are its own all the same.
	presented map[string]bool
}

// readReserved reads them. Where one of the sources cannot be read, nothing is approved: it
// might be what is asked for.
func readReserved(ctx context.Context, cluster runner.Cluster, nodes []corev1.Node) (Reserved, error) {
	r := Reserved{exact: map[string]string{}, networks: map[netip.Prefix]string{}, presented: map[string]bool{}}
	cm, err := cluster.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kubeadm-config", metav1.GetOptions{})
	if err == nil {
		err = r.configured(cm.Data["ClusterConfiguration"])
	}
	if err != nil {
		return r, plan.Refuse(fmt.Errorf("read configmap kube-system/kubeadm-config, which says what the API server is called: %w", err),
			"without it no request is approved; allow it, or mend it")
	}
	services, err := cluster.Client.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return r, plan.Refuse(kube.UnreadList(err, "services"), "without the addresses of Services no request is approved; allow 'list services'")
	}
	r.services(services.Items)
	for i := range nodes {
		for _, cidr := range nodes[i].Spec.PodCIDRs {
			r.network(cidr, "in the network of pods")
		}
	}
	presented, err := certcheck.Presented(ctx, cluster, nodes)
	if err != nil {
		return r, plan.Refuse(err, "without the names in its certificate no request is approved")
	}
	for _, name := range presented {
		r.presented[canonical(name)] = true
	}
	if u, err := url.Parse(cluster.Config.Host); err == nil {
		r.presented[canonical(u.Hostname())] = true
	}
	return r, nil
}

// configured takes what kubeadm was told of the cluster.
func (r *Reserved) configured(config string) error {
	var c struct {
		Kind                 string `json:"kind"`
		ControlPlaneEndpoint string `json:"controlPlaneEndpoint"`
		APIServer            struct {
			CertSANs []string `json:"certSANs"`
		} `json:"apiServer"`
		Networking struct {
			DNSDomain     string `json:"dnsDomain"`
			PodSubnet     string `json:"podSubnet"`
			ServiceSubnet string `json:"serviceSubnet"`
		} `json:"networking"`
	}
	if err := yaml.Unmarshal([]byte(config), &c); err != nil {
		return fmt.Errorf("ClusterConfiguration: %w", err)
	}
	if c.Kind != "ClusterConfiguration" {
		return fmt.Errorf("ClusterConfiguration: it is of kind %q", c.Kind)
	}
	host := c.ControlPlaneEndpoint
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	r.name(host, "the endpoint of the API servers")
	for _, san := range c.APIServer.CertSANs {
		r.name(san, "a name of the API servers (certSANs)")
	}
	r.domain = canonical(c.Networking.DNSDomain)
	if r.domain == "" {
		r.domain = "cluster.local"
	}
	if c.Networking.ServiceSubnet == "" {
		c.Networking.ServiceSubnet = "10.96.0.0/12" // kubeadm's own choice
	}
	for _, cidr := range strings.Split(c.Networking.ServiceSubnet, ",") {
		r.network(cidr, "in the network of Services")
	}
	for _, cidr := range strings.Split(c.Networking.PodSubnet, ",") {
		r.network(cidr, "in the network of pods")
	}
	return nil
}

// services takes the addresses that lead to Services.
func (r *Reserved) services(all []corev1.Service) {
	for i := range all {
		s := &all[i]
		what := "an address of Service " + s.Namespace + "/" + s.Name
		r.name(s.Name+"."+s.Namespace, what) // as pods may call it
		for _, a := range append(append([]string{s.Spec.LoadBalancerIP, s.Spec.ExternalName}, s.Spec.ExternalIPs...), s.Spec.ClusterIPs...) {
			r.name(a, what)
		}
		for _, in := range s.Status.LoadBalancer.Ingress {
			r.name(in.IP, what)
			r.name(in.Hostname, what)
		}
	}
}

func (r *Reserved) name(name, what string) {
	if name = canonical(name); name != "" && name != "none" { // a headless Service has ClusterIP None
		r.exact[name] = what
	}
}

func (r *Reserved) network(cidr, what string) {
	if p, err := netip.ParsePrefix(strings.TrimSpace(cidr)); err == nil {
		r.networks[p.Masked()] = what
	}
}

// why says what a name or address of a request means, if it is never one node's own; node is
// the one that asks.
func (r Reserved) why(name string, node corev1.Node) string {
	c := canonical(name)
	for _, one := range []string{c, wildcard(c)} { // of the configuration's names, too
		if what := r.exact[one]; what != "" {
			return what
		}
	}
	if addr, err := netip.ParseAddr(c); err == nil {
		for p, what := range r.networks {
			if p.Contains(addr.Unmap()) {
				return what
			}
		}
	}
	switch {
	case anywhere(c), c == r.domain, strings.HasSuffix(c, "."+r.domain):
		return "a name or address of the cluster, or of any machine"
	case (r.presented[c] || r.presented[wildcard(c)]) && !kube.IsControlPlane(&node):
		return "in the certificate of an API server"
	}
	return ""
}

// wildcard is the name by which a certificate is good for another and its neighbours.
func wildcard(name string) string {
	_, domain, _ := strings.Cut(name, ".")
	return "*." + domain
}

// anywhere reports whether a name or address means any machine, or a Service.
func anywhere(c string) bool {
	if addr, err := netip.ParseAddr(c); err == nil {
		addr = addr.Unmap()
		return addr.IsLoopback() || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLinkLocalUnicast()
	}
	return c == "localhost" || strings.HasSuffix(c, ".localhost") || c == "kubernetes" || strings.HasPrefix(c, "kubernetes.default") ||
		strings.HasSuffix(c, ".svc") || strings.HasSuffix(c, ".cluster.local") || strings.Contains(c, "*")
}
