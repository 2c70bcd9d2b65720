// SPDX-License-Identifier: Apache-2.0

package hostdata

import (
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// everyNodesData is a directory of the host of a pod that exists once on every node, if there
// may be data in it that goes. Most of what such pods mount is the host's or Kubernetes' own,
// which they look at, or where they have a socket; but the replicas of a storage engine are
// as much data as a claim's.
func everyNodesData(pod *corev1.Pod, v *corev1.Volume) (Data, bool) {
	at := path.Clean("/" + v.HostPath.Path)
	d := Data{Kind: HostPath, Name: v.Name, Path: v.HostPath.Path, Pods: []string{pod.Namespace + "/" + pod.Name}}
	with, within := inventory.TakenWith(at)
	rest, plugins := belowPlugins(at, with)
	if isNode(v.HostPath.Type) || onlyReads(pod, v.Name) || plugins && stagesMounts(rest) {
		return d, false
	}
	deep := strings.Contains(rest, "/")
	switch {
	case with == "":
		// A kubelet's root may be elsewhere: whether this one is, the host knows.
		return d, plugins && deep && !serves(pod, v)
	case !within:
		return d, false
	case plugins:
		if d.Lost = with; deep && !serves(pod, v) {
			return d, true
		}
		d.Own = true // a driver's own directory
		return d, deep || !serves(pod, v)
	}
	return d.takenWith(with)
}

// takenWith is data in a directory that goes, if any is in such a one.
func (d Data) takenWith(with string) (Data, bool) {
	own := strings.HasPrefix(with, "/var/lib/") && path.Dir(with) != inventory.DefaultKubeletRoot // a network's
	if holdsData(with) || own {
		d.Lost, d.Own = with, own && !holdsData(with)
		return d, true
	}
	return d, false
}

// isNode reports whether a volume is a socket or a device.
func isNode(is *corev1.HostPathType) bool {
	return is != nil && slices.Contains([]corev1.HostPathType{corev1.HostPathSocket, corev1.HostPathCharDev, corev1.HostPathBlockDev}, *is)
}

// containers are all of a pod's.
func containers(pod *corev1.Pod) []corev1.Container {
	return slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
}

// onlyReads reports whether no container of a pod may write into a volume that it mounts.
func onlyReads(pod *corev1.Pod, volume string) bool {
	mounted := false
	for _, c := range containers(pod) {
		for _, m := range c.VolumeMounts {
			if m.Name != volume {
				continue
			}
			if mounted = true; !m.ReadOnly {
				return false
			}
		}
	}
	return mounted
}

// belowPlugins is what follows a kubelet's directory of plugins in a path; with is that which
// the path goes with, empty if it may be below another root of a kubelet's.
func belowPlugins(at, with string) (rest string, is bool) {
	if plugins := inventory.DefaultKubeletRoot + "/plugins"; with != "" {
		return strings.TrimPrefix(at, plugins+"/"), with == plugins
	}
	if regexp.MustCompile(`^/(etc|usr|opt|run|var/run)/`).MatchString(at) {
		return "", false
	}
	_, rest, is = strings.Cut(at, "/plugins/")
	return rest, is
}

// stagesMounts reports whether a directory among the plugins' is one in which a kubelet itself
// keeps mounts (kubernetes.io and the name of a volume plugin of its own, Kubernetes 1.36),
// which drivers share.
func stagesMounts(rest string) bool {
	return regexp.MustCompile(`^kubernetes\.io(/(csi|fc|flexvolume|iscsi|local-volume|portworx-volume)(/|$)|$)`).MatchString(rest)
}

// holdsData reports whether a directory of a kubelet's may have another's data in it. In some
// there are sockets only.
func holdsData(with string) bool {
	name, of := strings.CutPrefix(with, inventory.DefaultKubeletRoot+"/")
	return of && slices.Contains(inventory.KubeletNames(), name) &&
		!slices.Contains([]string{"plugins_registry", "device-plugins", "pod-resources", "pods-api"}, name)
}

// serves reports whether a pod says that it has a socket directly in a volume, as a driver's
// registrar is told (--kubelet-registration-path) or the driver itself (--endpoint).
func serves(pod *corev1.Pod, v *corev1.Volume) bool {
	dirs := []string{path.Clean(v.HostPath.Path)}
	var words []string
	for _, c := range containers(pod) {
		words = append(append(words, c.Command...), c.Args...)
		for _, e := range c.Env {
			words = append(words, e.Value)
		}
		for _, m := range c.VolumeMounts {
			if m.Name == v.Name {
				dirs = append(dirs, path.Clean(m.MountPath))
			}
		}
	}
	return slices.ContainsFunc(dirs, func(dir string) bool {
		socket := regexp.MustCompile(`(^|[^\w.-])` + regexp.QuoteMeta(dir) + `/[\w.-]+\.sock\b`)
		return slices.ContainsFunc(words, socket.MatchString)
	})
}
