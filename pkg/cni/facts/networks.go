// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
)

// Sign is how a network's agents are recognised: by one of these.
type Sign struct {
	// CNI is the network's name.
	CNI string
	// Namespace is where its agents are when it is installed here; empty if it is not.
	Namespace string
	// DaemonSets are names of the agents' DaemonSet, without an architecture
	// behind.
	DaemonSets []string
	// Label is one of the pod template: key=value.
	Label string
	// Images are the last one or two parts of an image's repository.
	Images []string
}

// detect names the networks whose agents are among the DaemonSets.
func detect(sets []appsv1.DaemonSet, signs []Sign) []Network {
	var found []Network
	for i := range sets {
		set := &sets[i]
		cni, ok := recognise(set, signs)
		if !ok {
			continue
		}
		found = append(found, Network{
			CNI: cni, Namespace: set.Namespace, DaemonSet: set.Name,
			Release:          set.Annotations["meta.helm.sh/release-name"],
			ReleaseNamespace: set.Annotations["meta.helm.sh/release-namespace"],
			Desired:          desired(set), Writes: writes(&set.Spec.Template),
			Managed: managedby.Of(set), Images: imagesOf(&set.Spec.Template), PullSecrets: secretsOf(&set.Spec.Template),
		})
	}
	slices.SortFunc(found, func(a, b Network) int {
		return strings.Compare(a.CNI+"/"+a.Namespace+"/"+a.DaemonSet, b.CNI+"/"+b.Namespace+"/"+b.DaemonSet)
	})
	return found
}

// desired is on how many nodes a DaemonSet is to run; one that is being deleted on none.
func desired(set *appsv1.DaemonSet) int32 {
	if set.DeletionTimestamp != nil {
		return 0
	}
	return set.Status.DesiredNumberScheduled
}

// writes says whether pods write the configuration of a network on their hosts: agents
// do, and what only has an agent's image (Cilium's check before an upgrade) does not.
func writes(template *corev1.PodTemplateSpec) bool {
	return slices.ContainsFunc(template.Spec.Volumes, func(v corev1.Volume) bool {
		if v.HostPath == nil {
			return false
		}
		p := strings.TrimRight(v.HostPath.Path, "/")
		return p == "/etc" || p == "/etc/cni" || strings.HasSuffix(p, "/net.d")
	})
}

// Twice are the DaemonSets of each network that has several on the same nodes: both
// write the same file, the same device and the same annotations of the Node. One for
// each architecture, as flannel's manifests up to 0.12 have them, is one network.
func (f Facts) Twice() [][]Network {
	linux := 0
	for _, n := range f.Nodes {
		if n.OS == "linux" {
			linux++
		}
	}
	var order []string
	groups := map[string][]Network{}
	for _, a := range f.Networks {
		meets := func(b Network) bool {
			// More than there are nodes: they meet on some of them.
			return a.CNI == b.CNI && a.id() != b.id() && b.agent() && int(a.Desired)+int(b.Desired) > linux && !sisters(a, b)
		}
		if a.agent() && slices.ContainsFunc(f.Networks, meets) {
			if groups[a.CNI] == nil {
				order = append(order, a.CNI)
			}
			groups[a.CNI] = append(groups[a.CNI], a)
		}
	}
	var out [][]Network
	for _, name := range order {
		out = append(out, groups[name])
	}
	return out
}

func (n Network) id() string { return n.Namespace + "/" + n.DaemonSet }

func (n Network) agent() bool { return n.Writes && n.Desired > 0 }

// sisters are DaemonSets of one manifest for two architectures.
func sisters(a, b Network) bool {
	x, y := architecture(a.DaemonSet), architecture(b.DaemonSet)
	return a.Namespace == b.Namespace && x != "" && y != "" && x != y
}

// architectures are the endings of the names of DaemonSets for one each.
func architectures() []string { return []string{"-amd64", "-arm64", "-arm", "-ppc64le", "-s390x"} }

// architecture is the ending of a DaemonSet's name that says for which it is; empty if
// it is for all.
func architecture(name string) string {
	i := slices.IndexFunc(architectures(), func(end string) bool { return strings.HasSuffix(name, end) })
	if i < 0 {
		return ""
	}
	return architectures()[i]
}

// imagesOf are the images of a pod's containers, each once, sorted.
func imagesOf(template *corev1.PodTemplateSpec) (images []string) {
	for _, c := range slices.Concat(template.Spec.InitContainers, template.Spec.Containers) {
		if c.Image != "" {
			images = append(images, c.Image)
		}
	}
	slices.Sort(images)
	return slices.Compact(images)
}

// secretsOf are the names of the Secrets with which a pod's images are pulled.
func secretsOf(template *corev1.PodTemplateSpec) (names []string) {
	for _, ref := range template.Spec.ImagePullSecrets {
		names = append(names, ref.Name)
	}
	return names
}

// recognise names the network that a DaemonSet is the agent of, by the first sign
// that fits. Names come first: an image of flannel within Canal is still Canal.
func recognise(set *appsv1.DaemonSet, signs []Sign) (string, bool) {
	for _, s := range signs {
		if slices.ContainsFunc(s.DaemonSets, func(name string) bool { return named(set.Name, name) }) {
			return s.CNI, true
		}
	}
	for _, s := range signs {
		if s.matches(&set.Spec.Template) {
			return s.CNI, true
		}
	}
	return "", false
}

// named matches a DaemonSet that is called so, or so with an architecture
// behind ("kube-flannel-ds-arm64", as flannel's manifests up to 0.12 did). Other
// endings are other things: cilium-envoy is not cilium.
func named(name, want string) bool {
	rest, ok := strings.CutPrefix(name, want)
	return ok && (rest == "" || slices.Contains(architectures(), rest))
}

func (s Sign) matches(template *corev1.PodTemplateSpec) bool {
	// Only agents on the host's own network are a node's network: exporters and
	// operators carry such labels and images too.
	if !template.Spec.HostNetwork {
		return false
	}
	key, value, _ := strings.Cut(s.Label, "=")
	if template.Labels[key] == value {
		return true
	}
	return slices.ContainsFunc(template.Spec.Containers, func(c corev1.Container) bool {
		repository := repositoryOf(c.Image)
		return slices.ContainsFunc(s.Images, func(image string) bool { return strings.HasSuffix(repository, "/"+image) })
	})
}

// repositoryOf cuts tag and digest off an image: "/ghcr.io/x/flannel", with a
// slash in front so that one suffix test fits all.
func repositoryOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
		image = image[:colon]
	}
	return "/" + image
}
