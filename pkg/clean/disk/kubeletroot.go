// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// ofKubelet reports whether a name directly in a kubelet's root is one that it makes.
// A state file that was being written has a number for a name
// (pkg/kubelet/util/store/filestore.go, 1.36); it proves something only if it is
// younger than the join.
func ofKubelet(name string, younger bool) bool {
	return slices.Contains(inventory.KubeletNames(), name) || younger && regexp.MustCompile(`^\.[0-9]+$`).MatchString(name)
}

// uids are those of pods; a static pod's is a hash.
const uids = `[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`

// maker reports whether an entry of a directory is provably the kubelet's own.
type maker func(entry string, mode fs.FileMode) bool

// madeBy is the maker of one of a kubelet's directories. That matters where the directory is a
// disk of an administrator's, or a link to another one: others may keep things beside it
// there. A host may have thousands of entries to ask about, so ask one maker for all.
func madeBy(dir string) maker {
	fits := func(expression string) func(string) bool {
		return regexp.MustCompile(`^(?:` + expression + `)$`).MatchString
	}
	kind := func(of func(fs.FileMode) bool, expression string) maker {
		named := fits(expression)
		return func(entry string, mode fs.FileMode) bool { return of(mode) && named(entry) }
	}
	switch dir {
	case inventory.PodsDir:
		return kind(fs.FileMode.IsDir, uids)
	case "plugins": // its own volumes, and drivers by their names, which are domains
		return kind(fs.FileMode.IsDir, `kubernetes\.io|[a-z0-9-]+(\.[a-z0-9-]+)+`)
	case "plugins_registry", "device-plugins", "pod-resources", "pods-api":
		own := fits(`kubelet_internal_checkpoint|DEPRECATION`)
		return func(entry string, mode fs.FileMode) bool {
			return mode&fs.ModeSocket != 0 || mode.IsRegular() && own(entry)
		}
	case "checkpoints":
		return kind(fs.FileMode.IsRegular, `checkpoint-.+\.tar`)
	case "image_manager":
		return kind(fs.FileMode.IsDir, `pulling|pulled`)
	case inventory.PodLogsDir: // namespace, name and uid of a pod (pkg/kubelet/kuberuntime/helpers.go, BuildPodLogsDirectory)
		return kind(fs.FileMode.IsDir, `[a-z0-9-]+_[a-z0-9.-]+_(`+uids+`)`)
	case inventory.ContainerLogsDir: // pod, namespace, container and its id (legacy.go there)
		link := func(mode fs.FileMode) bool { return mode&fs.ModeSymlink != 0 }
		return kind(link, `[a-z0-9.-]+_[a-z0-9-]+_[a-z0-9-]+-[0-9a-f]{64}\.log`)
	}
	return func(string, fs.FileMode) bool { return false }
}

// logOf is the maker of a directory of logs: what is called as a kubelet calls a pod's or a
// container's, an earlier cluster's too, has no other owner. Of any other directory it says no.
func logOf(dir string) maker {
	if dir != inventory.PodLogsDir && dir != inventory.ContainerLogsDir {
		return func(string, fs.FileMode) bool { return false }
	}
	return madeBy(dir)
}

// refusal is why a host with these places is not cleaned; nil if it may be. What a
// kubelet was given in an unusual place may be foreign: it is neither deleted nor
// left behind as a credential of a cluster that the host has left.
func refusal(p part.Places, controlPlane bool) error {
	const back = "put it back to where kubeadm has it (see 'systemctl cat kubelet'), restart the kubelet, and run the command again"
	system := []string{"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin",
		"/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib"}
	for _, c := range []struct{ flag, is, usual string }{
		{"--kubeconfig", p.Kubeconfig, inventory.KubernetesDir + "/kubelet.conf"}, {"--bootstrap-kubeconfig", p.Bootstrap,
			inventory.KubernetesDir + "/bootstrap-kubelet.conf"},
	} {
		if c.is != "" && c.is != c.usual {
			return plan.Refuse(unusual(c.flag, c.is, c.usual), back)
		}
	}
	switch {
	case slices.Contains(system, p.Root):
		return plan.Refuse(unusual("--root-dir", p.Root, inventory.DefaultKubeletRoot), back)
	case controlPlane && p.Manifests != inventory.ManifestsDir:
		return plan.Refuse(unusual("staticPodPath", p.Manifests, inventory.ManifestsDir), back)
	}
	return nil
}

func unusual(what, is, usual string) error {
	return fmt.Errorf("the kubelet's %s is %s, not %s, and nothing proves whose that is", what, is, usual)
}
