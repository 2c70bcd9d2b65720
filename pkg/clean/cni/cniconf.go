// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// Conf is what a network configuration in /etc/cni/net.d says about whose it
// is: of a single plugin, of a chain of plugins, or of one that calls others.
type Conf struct {
	// name is the network's.
	name string
	// types are the plugins that it runs, those of delegates and of address
	// management among them, in order.
	types []string
	// bridges are the links that it makes or uses as bridges.
	Bridges []string
	// files are the kubeconfigs and the other configurations that it names.
	files []string
	// sockets are where the agents listen that its plugins ask.
	sockets []string
	// cut says that there is more in it than was looked at.
	cut bool
}

// The bounds of what is read of one configuration.
const (
	mostValues   = 64
	mostOfValue  = 512
	deepestConf  = 12
	mostOfConfs  = 256
	hostPrefix   = "/host" // where a pod sees the host, which Multus writes down
	multusSocket = "multus.sock"
)

// parseConf reads a configuration (CNI specification 0.1.0 to 1.1.0, Multus'
// delegates and clusterNetwork). It reports false for what is no JSON object.
func parseConf(raw []byte) (Conf, bool) {
	var tree map[string]any
	if len(raw) > part.MostOfFile || json.Unmarshal(raw, &tree) != nil || tree == nil {
		return Conf{}, false
	}
	var c Conf
	if name, is := tree["name"].(string); is {
		if c.cut = len(name) > mostOfValue; !c.cut {
			c.name = name
		}
	}
	c.visit(tree, 0)
	return c, true
}

// Calls reports whether a plugin is one of those that it runs, or may be.
func (c Conf) Calls(plugin string) bool { return c.cut || slices.Contains(c.types, plugin) }

// visit collects what one object says, and those in it.
func (c *Conf) visit(value any, depth int) {
	if depth > deepestConf {
		c.cut = true
		return
	}
	switch v := value.(type) {
	case []any:
		for _, each := range v {
			c.visit(each, depth+1)
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys { // itself before its delegates
			if text, is := v[key].(string); is {
				c.note(key, text)
			}
		}
		for _, key := range keys {
			c.visit(v[key], depth+1)
		}
	}
}

// note keeps a value by what it is called.
func (c *Conf) note(key, value string) {
	add := func(to *[]string, value string) {
		switch {
		case slices.Contains(*to, value):
		case len(*to) == mostValues || len(value) > mostOfValue:
			c.cut = true
		default:
			*to = append(*to, value)
		}
	}
	if value == "" {
		return
	}
	switch key {
	case "type":
		add(&c.types, value)
	case "bridge":
		add(&c.Bridges, value)
	case "kubeconfig", "clusterNetwork":
		if place, is := hostPath(value); is {
			add(&c.files, place)
		}
	case "server_socket": // kube-ovn's
		if place, is := hostPath(strings.TrimPrefix(value, "unix://")); is {
			add(&c.sockets, place)
		}
	case "daemonSocketDir": // Multus' since 4.0
		if place, is := hostPath(value); is {
			add(&c.sockets, path.Join(place, multusSocket))
		}
	}
}

// hostPath is an absolute path as the host has it.
func hostPath(value string) (string, bool) {
	value = path.Clean(value)
	if below, is := strings.CutPrefix(value, hostPrefix+"/"); is {
		value = "/" + below
	}
	return value, path.IsAbs(value) && value != "/"
}

// networkTypes are the plugins that only a pod network brings along, or that do
// nothing without a cluster, by the names of their programs: each needs an agent
// or a kubeconfig. The standard plugins (bridge, portmap, tuning …) are not among
// them: they serve everybody.
func networkTypes() map[string]inventory.Owner {
	return map[string]inventory.Owner{
		"flannel": inventory.Flannel, "calico": inventory.Calico, "calico-ipam": inventory.Calico, "cilium-cni": inventory.Cilium,
		"antrea": inventory.Antrea, "kube-ovn": inventory.KubeOVN,
		"weave-net": inventory.Weave, "weave-ipam": inventory.Weave, "multus": inventory.Multus, "multus-shim": inventory.Multus,
		"istio-cni": inventory.Istio, "linkerd-cni": inventory.Linkerd,
		"whereabouts": inventory.Whereabouts, "ovn-k8s-cni-overlay": inventory.PodNetwork, "aws-cni": inventory.PodNetwork,
		"terway": inventory.PodNetwork, "galaxy-sdn": inventory.PodNetwork,
		"coordinator": inventory.PodNetwork, "spiderpool": inventory.PodNetwork, "kuma-cni": inventory.PodNetwork,
	}
}

// network is the pod network that a configuration belongs to by what it runs;
// Foreign if it is none's.
func (c Conf) network() inventory.Owner {
	known := networkTypes()
	for _, kind := range c.types {
		if owner, is := known[kind]; is {
			return owner
		}
	}
	return inventory.Foreign
}

// standard are the plugins of containernetworking/plugins 1.9 and the one of containerd's and
// CRI-O's loopback: networks and people have them called.
func standard() []string {
	return []string{"bridge", "ptp", "ipvlan", "macvlan", "vlan", "host-device", "tap", "dummy", "loopback", "host-local", "dhcp", "static",
		"tuning", "portmap", "bandwidth", "sbr", "firewall", "vrf"}
}

// unknown is a plugin that a configuration runs, and that neither a pod network nor the standard
// ones bring along; empty if there is none.
func (c Conf) unknown() string {
	known := networkTypes()
	for _, kind := range c.types {
		if _, is := known[kind]; !is && !slices.Contains(standard(), kind) {
			return kind
		}
	}
	return ""
}

// strange reports whether a configuration runs plugins, and none of a pod network's: a
// person may call a file of a bridge's as a network calls its own. kube-router's runs the
// standard plugin, with a bridge of its own (daemonset of cloudnativelabs/kube-router 2.9).
func (c Conf) strange() bool {
	return len(c.types) > 0 && !c.cut && c.network() == inventory.Foreign && !slices.Contains(c.Bridges, "kube-bridge")
}

// DefaultBridge is the bridge of a configuration that names none and has the standard plugin
// make one (containernetworking/plugins, plugins/main/bridge); empty if it has not.
func (c Conf) DefaultBridge() string {
	if len(c.Bridges) > 0 || !slices.Contains(c.types, "bridge") {
		return ""
	}
	return "cni0"
}

// Connects reports whether a configuration has standard plugins give pods their interfaces
// (containernetworking/plugins, plugins/main). One that could not be read whole may.
func (c Conf) Connects() bool {
	main := []string{"bridge", "ptp", "ipvlan", "macvlan", "vlan", "host-device", "tap"}
	return c.cut || slices.ContainsFunc(c.types, func(kind string) bool { return slices.Contains(main, kind) })
}

// amended reports whether a configuration is another's to which a mesh has added
// its plugin: those of Istio, Linkerd and Kuma append themselves to the file that
// they find first, podman's or a person's too, and make no network of their own.
func (c Conf) amended() bool {
	known, mesh := networkTypes(), []string{"istio-cni", "linkerd-cni", "kuma-cni"}
	of := func(kind string) bool { return slices.Contains(mesh, kind) }
	foreign := func(kind string) bool { _, is := known[kind]; return !is }
	network := func(kind string) bool { return !foreign(kind) && !of(kind) }
	return slices.ContainsFunc(c.types, of) && slices.ContainsFunc(c.types, foreign) && !slices.ContainsFunc(c.types, network)
}

// agentSockets are where the agents listen that a configuration's plugins ask
// for every pod; a plugin waits for its agent, Cilium's for more than 40 s
// (pkg/client, ClientTimeout). Calico's, flannel's and the standard plugins ask
// no agent of the host.
func (c Conf) agentSockets() []string {
	out := slices.Clone(c.sockets)
	for _, kind := range c.types {
		switch kind {
		case "cilium-cni":
			out = append(out, "/run/cilium/cilium.sock")
		case "antrea":
			out = append(out, "/run/antrea/cni.sock")
		case "kube-ovn":
			if !slices.ContainsFunc(out, func(s string) bool { return strings.Contains(s, "ovn") }) {
				out = append(out, "/run/openvswitch/kube-ovn-daemon.sock")
			}
		case "multus-shim":
			if !slices.ContainsFunc(out, func(s string) bool { return path.Base(s) == multusSocket }) {
				out = append(out, "/run/multus/"+multusSocket)
			}
		case "ovn-k8s-cni-overlay":
			out = append(out, "/run/ovn-kubernetes/cni/ovn-cni-server.sock")
		case "terway":
			out = append(out, "/run/eni/eni.socket")
		}
	}
	return out
}
