// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
)

// Chosen is what the values of a chart, whole and merged, make of its network.
type Chosen struct {
	// Pool is where its pods' addresses come from; none if from the nodes' pod CIDRs.
	Pool []netip.Prefix
	// IPAM is who gives out addresses, in the network's own word; empty if there is one
	// way only.
	IPAM string
	// ReplacesProxy says that it does kube-proxy's work.
	ReplacesProxy bool
	// OperatorReplicas is how many pods its operator has that may not share a node; 0 if
	// they may.
	OperatorReplicas int
	// Labels are those that nodes must have for its databases.
	Labels map[string]string
}

// Chosen reads the values of an installation; what the chart would add by itself is
// known where it matters.
func (n Network) Chosen(given map[string]any) Chosen {
	if n.Reads == nil {
		return Chosen{}
	}
	return n.Reads(given)
}

func flannelChosen(v map[string]any) Chosen {
	return Chosen{IPAM: "the nodes' pod CIDRs", Pool: pool(values.Text(v, flannelV4), values.Text(v, flannelV6))}
}

func ciliumChosen(v map[string]any) Chosen {
	c := Chosen{IPAM: word(v, ciliumIPAM, "cluster-pool"), ReplacesProxy: values.Text(v, ciliumProxy) == "true", OperatorReplicas: 2}
	if n, err := strconv.Atoi(values.Text(v, "operator.replicas")); err == nil {
		c.OperatorReplicas = n
	}
	if c.IPAM == "cluster-pool" {
		if values.Text(v, "ipv4.enabled") != "false" {
			c.Pool = append(c.Pool, pool(word(v, ciliumPool4, "10.0.0.0/8"))...)
		}
		if values.Text(v, "ipv6.enabled") == "true" {
			c.Pool = append(c.Pool, pool(word(v, ciliumPool6, "fd00::/104"))...)
		}
	}
	return c
}

func calicoChosen(v map[string]any) Chosen {
	c := Chosen{IPAM: "calico-ipam", ReplacesProxy: values.Text(v, "installation.calicoNetwork.linuxDataplane") == "BPF"}
	given, _ := values.At(v, calicoPools)
	list, _ := given.([]any)
	for _, item := range list {
		if one, ok := item.(map[string]any); ok {
			c.Pool = append(c.Pool, pool(fmt.Sprint(one["cidr"]))...)
		}
	}
	return c
}

func antreaChosen(v map[string]any) Chosen {
	return Chosen{ReplacesProxy: values.Text(v, "antreaProxy.proxyAll") == "true"}
}

func kubeOVNChosen(v map[string]any) Chosen {
	c := Chosen{IPAM: "Subnets of Kube-OVN", Labels: map[string]string{}}
	stack := word(v, "networking.stack", "IPv4")
	if stack != "IPv6" {
		c.Pool = append(c.Pool, pool(word(v, kubeOVNPods+".v4", "10.16.0.0/16"))...)
	}
	if stack != "IPv4" {
		c.Pool = append(c.Pool, pool(word(v, kubeOVNPods+".v6", "fd00:10:16::/112"))...)
	}
	given, _ := values.At(v, "masterNodesLabels")
	labels, _ := given.(map[string]any)
	for key, value := range labels {
		c.Labels[key] = fmt.Sprint(value)
	}
	if len(labels) == 0 {
		c.Labels["kube-ovn/role"] = "master"
	}
	return c
}

// word is a value, or the chart's own.
func word(v map[string]any, path, own string) string {
	if said := values.Text(v, path); said != "" {
		return said
	}
	return own
}

// pool reads ranges; what is none is refused elsewhere.
func pool(words ...string) (out []netip.Prefix) {
	said := slices.DeleteFunc(words, func(w string) bool { return w == "" })
	read, err := cidr.Parse(strings.Join(said, ","))
	if err != nil {
		return nil
	}
	return read
}
