// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// presentImage is the reference of the image that a container of the pod runs or has
// run, and the name that its spec has for it. Both are empty as long as it has not run:
// after a start of the kubelet, until it has looked at the container again.
func presentImage(pod *corev1.Pod, container string) (image, name string) {
	for _, c := range pod.Spec.Containers {
		if c.Name == container {
			name = c.Image
		}
	}
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == container && (s.State.Running != nil || s.ImageID != "") && name != "" {
			return reference(name, s.ImageID), name
		}
	}
	return "", ""
}

// reference is how a container's image is named for another pod: by content where
// the runtime has a name for that (tried with containerd 2.2 and the pull policy
// Never), because a tag may mean another image at the next pull. An image that was
// pulled has the name of its digest, one that was imported only an ID. The repository
// must be that of the spec: the kubelet remembers by it who may use an image, and one
// image may have been pulled under several.
//
//	registry.k8s.io/kube-proxy:v1.36.3, registry.k8s.io/kube-proxy@sha256:…  →  the latter
//	registry.k8s.io/kube-proxy:v1.36.3, sha256:…                            →  the latter
//	registry.k8s.io/kube-proxy:v1.36.3, example.com/proxy@sha256:…          →  the former
func reference(image, id string) string {
	if isDigest(id) {
		return id
	}
	repository, digest, byDigest := strings.Cut(id, "@")
	repository = strings.TrimPrefix(repository, "docker-pullable://")
	if !byDigest || !isDigest(digest) || repository != repositoryOf(image) {
		return image
	}
	return repository + "@" + digest
}

// repositoryOf is an image's name without its tag and digest.
func repositoryOf(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

func isDigest(s string) bool {
	hex, is := strings.CutPrefix(s, "sha256:")
	return is && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}
