// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// readSetting reads a network's own configuration where its chart puts it, by one
// request. What cannot be read, or is not there, is left empty: a network that was
// made otherwise has it elsewhere.
func readSetting(ctx context.Context, client kubernetes.Interface, n Network) Setting {
	switch n.CNI {
	case "flannel", "canal":
		return flannelSetting(dataOf(ctx, client, n.Namespace, text.Choose(n.CNI == "canal", "canal-config", "kube-flannel-cfg")))
	case "cilium":
		return ciliumSetting(dataOf(ctx, client, n.Namespace, "cilium-config"))
	case "kube-ovn":
		got, err := client.AppsV1().Deployments(n.Namespace).Get(ctx, "kube-ovn-controller", metav1.GetOptions{})
		if err != nil {
			return Setting{}
		}
		return ovnSetting(got)
	case "calico":
		return calicoSetting(rawList(ctx, client, "/apis/crd.projectcalico.org/v1/ippools"))
	}
	return Setting{}
}

// dataOf are the data of a ConfigMap; none if it cannot be read.
func dataOf(ctx context.Context, client kubernetes.Interface, namespace, name string) map[string]string {
	got, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return got.Data
}

// rawList is a list of custom resources as the server sends it; nil if it cannot be
// read. A fake client has no wire.
func rawList(ctx context.Context, client kubernetes.Interface, path string) []byte {
	wire, real := client.CoreV1().RESTClient().(*rest.RESTClient)
	if !real || wire == nil {
		return nil
	}
	raw, err := wire.Get().AbsPath(path).Do(ctx).Raw()
	if err != nil {
		return nil
	}
	return raw
}

// flannelSetting reads flannel's net-conf.json.
func flannelSetting(data map[string]string) Setting {
	var c struct {
		Network     string
		IPv6Network string
	}
	if json.Unmarshal([]byte(data["net-conf.json"]), &c) != nil {
		return Setting{}
	}
	return Setting{Source: "net-conf.json", IPAM: "the nodes' pod CIDRs", Pool: prefixes(c.Network, c.IPv6Network)}
}

// ciliumSetting reads cilium-config (Cilium 1.14 to 1.20). The pool counts in the
// IPAM mode cluster-pool only; with kubernetes, addresses are of the nodes' pod
// CIDRs.
func ciliumSetting(data map[string]string) Setting {
	if len(data) == 0 {
		return Setting{}
	}
	s := Setting{Source: "configmap cilium-config", IPAM: data["ipam"]}
	if s.IPAM == "cluster-pool" {
		words := strings.Fields(data["cluster-pool-ipv4-cidr"] + " " + data["cluster-pool-ipv6-cidr"])
		s.Pool = prefixes(words...)
	}
	// Versions before 1.14 had words for degrees: partial, probe, strict.
	if word := data["kube-proxy-replacement"]; word == "true" || word == "false" {
		replaces := word == "true"
		s.Proxy = &replaces
	}
	return s
}

// ovnSetting reads the arguments of Kube-OVN's controller.
func ovnSetting(controller *appsv1.Deployment) Setting {
	s := Setting{Source: "the arguments of deployment kube-ovn-controller", IPAM: "Subnets of Kube-OVN"}
	for _, c := range controller.Spec.Template.Spec.Containers {
		for _, arg := range append(c.Command, c.Args...) {
			name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			switch name {
			case "default-cidr":
				s.Pool = prefixes(value)
			case "node-switch-cidr":
				s.Join = prefixes(value)
			case "service-cluster-ip-range":
				s.Services = prefixes(value)
			}
		}
	}
	return s
}

// calicoSetting reads Calico's IPPools.
func calicoSetting(raw []byte) Setting {
	var list struct {
		Items []struct {
			Spec struct {
				CIDR     string `json:"cidr"`
				Disabled bool   `json:"disabled"`
			} `json:"spec"`
		} `json:"items"`
	}
	if json.Unmarshal(raw, &list) != nil {
		return Setting{}
	}
	s := Setting{Source: "IPPools of Calico", IPAM: "calico-ipam"}
	for _, item := range list.Items {
		if !item.Spec.Disabled {
			s.Pool = append(s.Pool, prefixes(item.Spec.CIDR)...)
		}
	}
	return s
}

// prefixes reads CIDRs; what is none is left out.
func prefixes(words ...string) (out []netip.Prefix) {
	for _, w := range words {
		if parsed, err := cidr.Parse(w); err == nil {
			out = append(out, parsed...)
		}
	}
	return out
}
