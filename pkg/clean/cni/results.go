// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"cmp"
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// loopback is the network that every container has beside its own: containerd, CRI-O and
// podman give it this name.
const loopback = "cni-loopback"

// Result is a file in which libcni has written down what plugins made for a container
// (containernetworking/cni 1.3, libcni/api.go): NETWORK-CONTAINER-INTERFACE.
type Result struct {
	Name string
	// Pods says that it is of a network of pods.
	Pods bool
	// Namespaces are the network namespaces that it names.
	Namespaces []string
	// network and container are those that it is of.
	network, container string
}

// writtenDown is what is in such a file: since 0.8 of libcni, and before, the bare result.
type writtenDown struct {
	Network    string       `json:"networkName"`
	Container  string       `json:"containerId"`
	Namespace  string       `json:"netns"`
	Interfaces []attachment `json:"interfaces"`
	Result     struct {
		Interfaces []attachment `json:"interfaces"`
	} `json:"result"`
}

type attachment struct {
	Sandbox string `json:"sandbox"`
}

// parseResult reads such a file. What names no network is of one of those that are known
// if the name of the file is one of that network's, to the end: that of a network called
// cilium-lab begins as Cilium's, too.
func parseResult(name string, raw []byte, known []string) Result {
	out := Result{Name: name}
	var said writtenDown
	if json.Unmarshal(raw, &said) != nil {
		said = writtenDown{}
	}
	out.network, out.container = said.Network, said.Container
	if rest, is := strings.CutPrefix(name, out.network+"-"); !is || rest == "" {
		out.network = "" // not the file that it says it is
	}
	rest := regexp.MustCompile(`^([^-]+)-[^-]+$`)
	for _, network := range known {
		its, is := strings.CutPrefix(name, network+"-")
		if found := rest.FindStringSubmatch(its); out.network == "" && is && found != nil {
			out.network, out.container = network, cmp.Or(out.container, found[1])
		}
	}
	for _, at := range append(slices.Concat(said.Interfaces, said.Result.Interfaces), attachment{said.Namespace}) {
		where := strings.Replace(path.Clean("/"+at.Sandbox), "/var/run/", "/run/", 1)
		if path.Dir(where) == inventory.NetnsDir && !slices.Contains(out.Namespaces, where) && len(out.Namespaces) < mostValues {
			out.Namespaces = append(out.Namespaces, where)
		}
	}
	return out
}

// judgeResults says which results are of some networks. Those of the loopback are of the
// container's own network: where another network has written something down of it, theirs.
func judgeResults(all []Result, networks []string) []Result {
	for i, r := range all {
		all[i].Pods = slices.Contains(networks, r.network)
		if all[i].Pods && r.network == loopback {
			all[i].Pods = !slices.ContainsFunc(all, func(o Result) bool {
				return o.network != loopback && !slices.Contains(networks, o.network) && r.container != "" &&
					strings.Contains(o.Name, "-"+r.container+"-")
			})
		}
	}
	return all
}
