// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"
)

// components are the static pods that kubeadm makes (cmd/kubeadm/app/constants, 1.36), by the
// names of their programs.
func components() []string {
	return []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
}

// named reports whether a file in the directory of static pods is called as kubeadm calls its own.
func named(file string) bool {
	return slices.ContainsFunc(components(), func(name string) bool { return file == name+".yaml" })
}

// component reports whether what is in a file is one of kubeadm's static pods, whatever the file
// is called: a copy that someone has left there is run like the others. In a file that is called
// as kubeadm's what nothing tells of is kubeadm's: an empty one, one that was cut short. People
// change kubeadm's pods, which stay kubeadm's (cmd/kubeadm/app/util/staticpod: the name, the
// namespace and the label of each).
func component(file string, raw []byte) bool {
	var pod struct {
		Kind     string
		Metadata struct {
			Name, Namespace string
			Labels          map[string]string
		}
		Spec struct {
			Containers []struct {
				Name    string
				Command []string
			}
		}
	}
	if len(bytes.TrimSpace(raw)) == 0 || yaml.Unmarshal(raw, &pod) != nil || pod.Metadata.Name == "" && len(pod.Spec.Containers) == 0 {
		return named(file)
	}
	label := pod.Metadata.Labels["component"]
	if pod.Metadata.Namespace != "kube-system" || !slices.Contains(components(), label) || label != pod.Metadata.Name ||
		named(file) && file != label+".yaml" {
		return false
	}
	for _, c := range pod.Spec.Containers {
		if len(c.Command) > 0 && filepath.Base(c.Command[0]) == label {
			return true
		}
	}
	return false
}
