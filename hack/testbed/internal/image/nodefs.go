// SPDX-License-Identifier: Apache-2.0

package image

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// keepInImage leaves out of a root file system what must not be in an image
// (device files, which the runtime makes) and what is never read.
func keepInImage(name string) bool {
	for _, dir := range []string{"dev", "var/lib/apt/lists", "var/cache/apt", "var/log"} {
		if strings.HasPrefix(name, dir+"/") {
			return false
		}
	}
	return true
}

// keepOnNode also leaves out the units that have no business in a container:
// kind's base image makes the same cuts.
func keepOnNode(name string) bool {
	if !keepInImage(name) {
		return false
	}
	dir, base := path.Dir(name), path.Base(name)
	wants := path.Base(dir)
	switch path.Dir(dir) {
	case "etc/systemd/system":
		return !strings.HasSuffix(wants, ".wants")
	case "usr/lib/systemd/system", "lib/systemd/system":
		switch wants {
		case "multi-user.target.wants", "local-fs.target.wants", "basic.target.wants":
			return false
		case "sysinit.target.wants":
			return base != "systemd-tmpfiles-setup.service"
		case "sockets.target.wants":
			return !strings.Contains(base, "udev") && !strings.Contains(base, "initctl")
		}
	}
	return true
}

// Parts are the inputs of a node image, as paths on this machine.
type Parts struct {
	// Version is the Kubernetes version, which kind reads on the node.
	Version string
	// KindFiles is images/base/files of the kind module: entrypoint, units and
	// containerd's configuration.
	KindFiles string
	// NodeRootfs and ImageRootfs are root file systems in tar form.
	NodeRootfs, ImageRootfs string
	// Programs maps a program's name to its path.
	Programs map[string]string
	// Images are the names of the images to preload.
	Images []string
}

// placement says where on a node each program lies.
func placement() map[string][]string {
	return map[string][]string{
		// kind's kubelet unit expects /usr/bin/kubelet.
		"/usr/bin":       {"kubeadm", "kubectl", "kubelet"},
		"/usr/local/bin": {"containerd", "containerd-shim-runc-v2", "ctr"},
		// Not flannel: its chart brings it, and that is part of what is tested.
		"/opt/cni/bin": {"bridge", "host-local", "loopback", "portmap", "ptp"},
	}
}

// nodeFiles is everything that is laid over the node's root file system.
// spec is the runtime specification that containers on the node start from.
func nodeFiles(parts Parts, spec []byte) ([]File, error) {
	files, err := kindFiles(parts.KindFiles)
	if err != nil {
		return nil, err
	}
	places := placement()
	for _, dir := range slices.Sorted(maps.Keys(places)) {
		for _, name := range places[dir] {
			source, ok := parts.Programs[name]
			if !ok {
				return nil, fmt.Errorf("place program %s: it was not built", name)
			}
			files = append(files, File{Path: dir + "/" + name, Mode: 0o755, Source: source})
		}
	}
	return append(files, nodeSettings(parts.Version, spec)...), nil
}

// nodeSettings are the small files: what is enabled, what is masked, and the
// directories that packages would have made.
func nodeSettings(version string, spec []byte) []File {
	const units = "/etc/systemd/system/"
	files := []File{
		{Path: "/kind/version", Mode: 0o644, Data: []byte(version)},
		{Path: "/kind/manifests/default-storage.yaml", Mode: 0o644, Data: []byte(storageClass)},
		{Path: "/etc/containerd/cri-base.json", Mode: 0o644, Data: spec},
		{Path: "/etc/kubernetes/manifests", Mode: 0o755, Dir: true},
		{Path: "/etc/cni/net.d", Mode: 0o755, Dir: true},
		{Path: "/etc/systemd/journald.conf.d/10-testbed.conf", Mode: 0o644,
			Data: []byte("[Journal]\nReadKMsg=no\n")},
		// It would register things in a kernel-wide place.
		{Path: units + "systemd-binfmt.service", Link: "/dev/null"},
	}
	for _, unit := range []string{"containerd", "kubelet", "undo-mount-hacks"} {
		files = append(files, File{
			Path: units + "multi-user.target.wants/" + unit + ".service",
			Link: units + unit + ".service",
		})
	}
	return files
}

// storageClass replaces kind's local-path provisioner, whose image is not to
// be had without a registry: a default class that exists and provisions nothing.
const storageClass = `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
`

// kindFiles lists the static files of kind's base image. The module proxy
// serves no file modes, so scripts are told by where they lie.
func kindFiles(root string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(root, func(source string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(root, source)
		if err != nil {
			return err
		}
		file := File{Path: "/" + filepath.ToSlash(relative), Mode: 0o644, Source: source}
		switch path.Dir(file.Path) {
		case "/usr/local/bin", "/kind/bin":
			file.Mode = 0o755
		}
		files = append(files, file)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list files of kind's base image: %w", err)
	}
	return files, nil
}

// runtimeSpec turns the output of "ctr oci spec" into the base specification
// that kind's containerd configuration names: with kind's hook that hides the
// machine's product id, and without resource limits, which would be those of
// the machine that built the image.
func runtimeSpec(raw []byte) ([]byte, error) {
	var spec map[string]any
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, fmt.Errorf("parse runtime specification: %w", err)
	}
	if process, ok := spec["process"].(map[string]any); ok {
		delete(process, "rlimits")
	}
	hooks, ok := spec["hooks"].(map[string]any)
	if !ok {
		hooks = map[string]any{}
		spec["hooks"] = hooks
	}
	list, _ := hooks["createContainer"].([]any)
	hooks["createContainer"] = append(list, map[string]any{"path": "/kind/bin/mount-product-files.sh"})
	out, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode runtime specification: %w", err)
	}
	return out, nil
}
