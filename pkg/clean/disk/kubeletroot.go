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

// madeBy reports whether an entry of a kubelet's directory is provably its own. That
// matters where the directory is a disk of an administrator's, or a link to another
// one: others may keep things beside it there.
func madeBy(dir, entry string, mode fs.FileMode) bool {
	fits := func(expression string) bool { return regexp.MustCompile(`^(?:` + expression + `)$`).MatchString(entry) }
	switch dir {
	case inventory.PodsDir:
		return mode.IsDir() && fits(uids)
	case "plugins": // its own volumes, and drivers by their names, which are domains
		return mode.IsDir() && fits(`kubernetes\.io|[a-z0-9-]+(\.[a-z0-9-]+)+`)
	case "plugins_registry", "device-plugins", "pod-resources", "pods-api":
		return mode&fs.ModeSocket != 0 || mode.IsRegular() && fits(`kubelet_internal_checkpoint|DEPRECATION`)
	case "checkpoints":
		return mode.IsRegular() && fits(`checkpoint-.+\.tar`)
	case "image_manager":
		return mode.IsDir() && fits(`pulling|pulled`)
	}
	return isLog(dir, mode, fits)
}

// isLog is madeBy for the directories of logs.
func isLog(dir string, mode fs.FileMode, fits func(expression string) bool) bool {
	switch dir {
	case inventory.PodLogsDir: // namespace, name and uid of a pod (pkg/kubelet/kuberuntime/helpers.go, BuildPodLogsDirectory)
		return mode.IsDir() && fits(`[a-z0-9-]+_[a-z0-9.-]+_(`+uids+`)`)
	case inventory.ContainerLogsDir: // pod, namespace, container and its id (legacy.go there)
		return mode&fs.ModeSymlink != 0 && fits(`[a-z0-9.-]+_[a-z0-9-]+_[a-z0-9-]+-[0-9a-f]{64}\.log`)
	}
	return false
}

// isLogOf reports whether an entry of a directory of logs is called as a kubelet calls a
// pod's or a container's: an earlier cluster's, which has no other owner.
func isLogOf(dir string, e fs.DirEntry) bool {
	return isLog(dir, e.Type(), func(expression string) bool {
		return regexp.MustCompile(`^(?:` + expression + `)$`).MatchString(e.Name())
	})
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
