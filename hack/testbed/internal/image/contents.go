// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// searchPath is the PATH inside of every image: kubeadm's manifests call the
// programs by their bare names.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// pauseUser is the user of the real sandbox image. It matters where something
// else runs in that image: without an explicit user it is not root.
const pauseUser = "65535:65535"

// spec is an image to be built: programs at places, over nothing or over the
// small Debian root file system.
type spec struct {
	names    []string
	onBase   bool
	programs map[string]string
	process  process
}

// specs maps image names to what is in them. An image whose kind is not known
// is an error here rather than an ImagePullBackOff in the cluster.
func specs(names []string) ([]spec, error) {
	byKind := map[string]*spec{}
	var order []string
	for _, name := range names {
		kind := kindOf(name)
		if known, ok := byKind[kind]; ok {
			if !slices.Contains(known.names, name) {
				known.names = append(known.names, name)
			}
			continue
		}
		s, err := specOf(kind)
		if err != nil {
			return nil, fmt.Errorf("plan image %s: %w", name, err)
		}
		s.names = []string{name}
		s.process.Env = []string{searchPath}
		byKind[kind] = &s
		order = append(order, kind)
	}
	list := make([]spec, 0, len(order))
	for _, kind := range order {
		list = append(list, *byKind[kind])
	}
	return list, nil
}

// kindOf is the last element of an image's name without its tag.
func kindOf(name string) string {
	kind, _, _ := strings.Cut(path.Base(name), ":")
	return kind
}

func specOf(kind string) (spec, error) {
	const bin = "/usr/local/bin/"
	switch kind {
	case "kube-apiserver", "kube-controller-manager", "kube-scheduler":
		return spec{programs: map[string]string{bin + kind: kind}}, nil
	case "kube-proxy":
		return spec{onBase: true, programs: map[string]string{bin + kind: kind}}, nil
	case "etcd":
		return spec{programs: map[string]string{bin + "etcd": "etcd", bin + "etcdctl": "etcdctl"}}, nil
	case "coredns":
		return spec{programs: map[string]string{"/coredns": "coredns"},
			process: process{Entrypoint: []string{"/coredns"}}}, nil
	case "pause":
		return spec{programs: map[string]string{"/pause": "pause"},
			process: process{User: pauseUser, Entrypoint: []string{"/pause"}}}, nil
	case "flannel":
		return spec{onBase: true, programs: map[string]string{"/opt/bin/flanneld": "flanneld"},
			process: process{Entrypoint: []string{"/opt/bin/flanneld"}}}, nil
	case "flannel-cni-plugin":
		// The chart's init container copies /flannel, with the image's own cp.
		return spec{onBase: true, programs: map[string]string{"/flannel": "flannel"}}, nil
	case "agnhost":
		return spec{onBase: true, programs: map[string]string{"/agnhost": "agnhost"},
			process: process{Entrypoint: []string{"/agnhost"}, Cmd: []string{"pause"}}}, nil
	}
	return spec{}, fmt.Errorf("no program is known for an image called %q", kind)
}

// ChartImages finds in flannel's values.yaml the images that the chart's
// default values use, in the form repository:tag. The optional network-policy
// controller is left out: it is off by default.
func ChartImages(values string) ([]string, error) {
	var images []string
	repository := ""
	for line := range strings.Lines(values) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		switch key {
		case "repository":
			repository = value
		case "tag":
			if kind := kindOf(repository); kind == "flannel" || kind == "flannel-cni-plugin" {
				images = append(images, repository+":"+value)
			}
			repository = ""
		}
	}
	if len(images) != 2 {
		return nil, fmt.Errorf("read chart values: two flannel images expected, found %v", images)
	}
	return images, nil
}
